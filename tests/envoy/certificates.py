"""Certificates for a gateway on this machine."""

import trustme


def issue(directory, *names):
    """Writes ca.pem, chain.pem and key.pem; returns the paths of the last two, as `gateway.tls` takes them."""
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    chain, key = directory / "chain.pem", directory / "key.pem"
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key
