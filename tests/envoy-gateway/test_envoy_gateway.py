"""The shipped manifests in Envoy Gateway: shares, stickiness, edits in service, what never reaches the filter, claims."""

from client import Connection

HTTPS = 443


def test_a_request(envoy):
    with Connection(HTTPS, tls=True) as connection:
        response = connection.request()
    assert response.status == 200 and response.cookies()
    print(response)
