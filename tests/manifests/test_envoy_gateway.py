"""The manifests for Envoy Gateway agree with themselves; tests/envoy-gateway has them accepted and serves traffic by them."""

FOLDER = "manifests/envoy-gateway"
SETTINGS = "manifests/settings/settings.yaml"


def test_nothing_is_left_of_istio(shipped):
    text = shipped.render(FOLDER)
    assert "istio" not in text and shipped.objects(FOLDER)


def test_everything_is_in_the_namespace_of_the_application(shipped):
    of_the_cluster = {"Namespace", "ClusterIssuer", "GatewayClass"}
    for each in shipped.objects(FOLDER):
        assert each["metadata"].get("namespace") == (None if each["kind"] in of_the_cluster else "canary"), each["kind"]


def test_the_host_and_the_module_have_one_place(tree):
    before = tree.render(FOLDER)
    host, image = "canary.example.com", "ghcr.io/canary-split/canary-split@"
    assert before.count(host) > 4 and before.count(image) == 1
    tree.edit(SETTINGS, f"host: {host}", "host: shop.example.org")
    tree.edit("wasmplugin/wasmplugin.yaml", f"oci://{image}", "oci://r.example.org:5000/x@")
    assert tree.render(FOLDER) == before.replace(host, "shop.example.org").replace(image, "r.example.org:5000/x@")


def test_what_refers_to_something_finds_it(shipped):
    objects = shipped.objects(FOLDER)
    gateway = objects.one("Gateway")
    listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
    assert gateway["spec"]["gatewayClassName"] == objects.one("GatewayClass")["metadata"]["name"]
    assert gateway["spec"]["infrastructure"]["parametersRef"]["name"] == objects.one("EnvoyProxy")["metadata"]["name"]
    (certificate,) = listeners["https"]["tls"]["certificateRefs"]
    assert certificate["name"] == objects.one("Certificate")["spec"]["secretName"]
    (target,) = objects.one("EnvoyExtensionPolicy")["spec"]["targetRefs"]
    routes = objects.all("HTTPRoute")
    for reference in [target, *(parent for route in routes for parent in route["spec"]["parentRefs"])]:
        assert reference["name"] == gateway["metadata"]["name"] and reference["sectionName"] in listeners
    for reference in (each for route in routes for rule in route["spec"]["rules"] for each in rule.get("backendRefs", [])):
        service = objects.one("Service", reference["name"])["spec"]
        (port,) = service["ports"]
        pods = [each["spec"]["template"] for each in objects.all("Deployment")]
        (pod,) = [pod for pod in pods if service["selector"].items() <= pod["metadata"]["labels"].items()]
        ports = [each["containerPort"] for container in pod["spec"]["containers"] for each in container["ports"]]
        assert reference["port"] == port["port"] and port["targetPort"] in ports


def test_what_a_canary_adds_has_the_label_by_which_it_is_deleted(shipped):
    labelled = [each for each in shipped.objects(FOLDER) if "app.kubernetes.io/part-of" in each["metadata"].get("labels", {})]
    assert sorted(each["kind"] for each in labelled) == ["Deployment", "EnvoyExtensionPolicy", "Service"]
