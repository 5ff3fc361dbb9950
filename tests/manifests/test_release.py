"""The release's scripts: places that do not agree are refused, and what is made is what the documents promise."""

import gzip
import hashlib
import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import tarfile

import pytest
import yaml
from repository import ROOT

FACTS = runpy.run_path(str(ROOT / "release/facts.py"))
VERSION, IMAGE, PLATFORMS = (FACTS[name] for name in ("VERSION", "IMAGE", "PLATFORMS"))
DIGEST = "sha256:" + "6f1d0c2a" * 8
CHANGELOG = f"# Changelog\n\n## [Unreleased]\n\n- soon\n\n## [{VERSION}] - 2026-11-30\n\n### Added\n\n- all\n  of it\n\n## [0.0.9] - 2026-11-01\n\n- first\n"
CHART = ROOT / "wasmplugin/chart"


class Copy:
    """What the scripts read and write, in a folder of its own, as it is on the day of a release."""

    def __init__(self, top):
        self.top = top
        for folder in ("release", "wasmplugin", "docs"):
            shutil.copytree(ROOT / folder, top / folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "*.gz", "*.png"))
        (top / "manifests/metrics").mkdir(parents=True)
        for file in ("Cargo.toml", "Cargo.lock", "README.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "manifests/README.md"):
            shutil.copy(ROOT / file, top / file)
        for file in (ROOT / "manifests/metrics").iterdir():
            shutil.copy(file, top / "manifests/metrics")
        (top / "CHANGELOG.md").write_text(CHANGELOG)
        for page in (top / "README.md", *(top / "docs").glob("*.md")):
            page.write_text(page.read_text().replace(FACTS["UNPUBLISHED"], "There is a release"))
        self.edit("wasmplugin/wasmplugin.yaml", FACTS["DIGEST"], DIGEST)
        if CHART.exists():
            self.edit("wasmplugin/chart/values.yaml", FACTS["DIGEST"], DIGEST)

    def edit(self, file, old, new):
        path = self.top / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def run(self, script, *arguments):
        command = [sys.executable, self.top / "release" / script, *arguments]
        return subprocess.run(command, cwd=self.top, capture_output=True, text=True)

    def made(self, name):
        return (self.top / ".release" / name).read_bytes()

    def archives(self):
        """Archives of the tool, without a tool in them."""
        (self.top / ".release").mkdir(exist_ok=True)
        names = [FACTS["archive"](*platform) for platform in PLATFORMS]
        for name in names:
            (self.top / ".release" / name).write_bytes(name.encode())
        return names


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_a_release_whose_places_agree_passes(copy):
    done = copy.run("check.py", f"v{VERSION}")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{VERSION}: all places agree\n")


# (file, what it says, what it says then, what is said of it)
DISAGREEMENTS = [
    ("Cargo.toml", f'version = "{VERSION}"', 'version = "9.9.9"', "the tag is v0.1.0, and Cargo.toml says 9.9.9"),
    ("Cargo.lock", f'"canary-split"\nversion = "{VERSION}"', '"canary-split"\nversion = "9.9.9"', "Cargo.lock says 9.9.9"),
    ("wasmplugin/Dockerfile", f'version="{VERSION}"', 'version="9.9.9"', "wasmplugin/Dockerfile says 9.9.9"),
    ("wasmplugin/wasmplugin.yaml", DIGEST, "sha256:" + 64 * "0", "wasmplugin.yaml has no digest yet"),
    ("wasmplugin/wasmplugin.yaml", IMAGE, "registry.example.com/mine", f"names registry.example.com/mine; a release of .* is pushed to {IMAGE}"),
    ("CHANGELOG.md", f"## [{VERSION}]", "## [9.9.9]", rf"CHANGELOG.md has no section \[{VERSION}\]"),
    ("CHANGELOG.md", " - 2026-11-30", "", rf"CHANGELOG.md: \[{VERSION}\] has no date"),
    ("CHANGELOG.md", "### Added\n\n- all\n  of it\n", "", f"CHANGELOG.md says nothing about {VERSION}"),
]
if CHART.exists():
    DISAGREEMENTS += [
        ("wasmplugin/chart/Chart.yaml", f"\nversion: {VERSION}", "\nversion: 9.9.9", "Chart.yaml: version says 9.9.9"),
        ("wasmplugin/chart/Chart.yaml", f"appVersion: {VERSION}", "appVersion: 9.9.9", "Chart.yaml: appVersion says 9.9.9"),
        ("wasmplugin/chart/values.yaml", f"repository: {IMAGE}", "repository: registry.example.com/mine", "values.yaml: repository is registry.example.com/mine"),
        ("wasmplugin/chart/values.yaml", DIGEST, "sha256:" + "1" * 64, "values.yaml: digest is sha256:1111"),
    ]


@pytest.mark.parametrize(("file", "old", "new", "said"), DISAGREEMENTS, ids=[f"{file}: {new[:40]}" for file, _, new, _ in DISAGREEMENTS])
def test_a_place_that_does_not_agree_refuses_the_release(copy, file, old, new, said):
    copy.edit(file, old, new)
    done = copy.run("check.py", f"v{VERSION}")
    assert done.returncode == 1 and re.search(said, done.stderr), done.stderr


@pytest.mark.parametrize("tag", ["v9.9.9", VERSION, "v0.1", f"v{VERSION}-rc.1"])
def test_another_tag_is_refused(copy, tag):
    done = copy.run("check.py", tag)
    assert done.returncode == 1 and f"the tag is {tag}, and Cargo.toml says {VERSION}" in done.stderr


def test_documents_that_name_another_version_are_refused(copy):
    (copy.top / "docs/NEW.md").write_text("```sh\nskopeo copy oci-archive:a.tar docker://r.example.com/canary-split:9.9.9\n```\n")
    done = copy.run("check.py", f"v{VERSION}")
    assert done.returncode == 1 and "docs/NEW.md says 9.9.9" in done.stderr


def test_documents_that_know_of_no_release_are_refused(copy):
    (copy.top / "docs/NEW.md").write_text(f"{FACTS['UNPUBLISHED']}. Build it.\n")
    done = copy.run("check.py", f"v{VERSION}")
    assert done.returncode == 1 and "docs/NEW.md says: No release has been published yet" in done.stderr


def test_another_image_than_the_committed_one_is_refused(copy):
    index = copy.top / ".image/oci/index.json"
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps({"manifests": [{"digest": "sha256:" + "1" * 64}]}))
    done = copy.run("check.py", f"v{VERSION}", "--built")
    assert done.returncode == 1 and "the image that was built is sha256:1111" in done.stderr
    index.write_text(json.dumps({"manifests": [{"digest": DIGEST}]}))
    assert copy.run("check.py", f"v{VERSION}", "--built").returncode == 0


def test_before_a_tag_the_repository_says_what_is_to_do():
    """As it is, between two releases: no place contradicts another."""
    done = subprocess.run([sys.executable, ROOT / "release/check.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_prepare_writes_the_version_wherever_it_is_said(copy):
    copy.edit("CHANGELOG.md", f"## [{VERSION}] - 2026-11-30\n\n", "")
    done = copy.run("prepare.py", "--no-build", "1.22.333")
    assert done.returncode == 0, done.stderr
    checked = copy.run("check.py", "v1.22.333")
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"## \[Unreleased\]\n\n## \[1\.22\.333\] - \d{4}-\d\d-\d\d\n\n- soon\n", (copy.top / "CHANGELOG.md").read_text())
    assert not re.search(rf"rev: v{re.escape(VERSION)}", (copy.top / "README.md").read_text())
    wrong = copy.run("prepare.py", "--no-build", "v2")
    assert wrong.returncode == 1 and "v2 is no version" in wrong.stderr


def test_the_notes_are_the_versions_section_and_the_image(copy):
    assert copy.run("notes.py").returncode == 0
    notes = copy.made("notes.md").decode()
    assert notes.startswith("### Added\n\n- all of it\n\nImage: `oci://") and f"{IMAGE}@{DIGEST}" in notes
    assert "first" not in notes and "soon" not in notes
    unknown = copy.run("notes.py", "7.0.0")
    assert unknown.returncode == 1 and "[7.0.0]" in unknown.stderr and "Traceback" not in unknown.stderr


@pytest.fixture
def script(monkeypatch):
    """The names of a script, as those next to it import them."""
    monkeypatch.syspath_prepend(ROOT / "release")
    return lambda name: runpy.run_path(str(ROOT / "release" / name), run_name=name)


def test_our_changelog_says_what_comes_next_and_what_an_upgrade_needs(script):
    sections = script("notes.py")["sections"]((ROOT / "CHANGELOG.md").read_text())
    assert list(sections)[0] == "Unreleased"
    for version, (date, text) in sections.items():
        assert bool(date) == (version != "Unreleased"), version
        if text:
            assert "### Upgrade" in text, version


def test_krew_is_told_where_each_archive_is_and_what_is_in_it(copy):
    names = copy.archives()
    assert copy.run("krew.py").returncode == 0
    plugin = yaml.safe_load(copy.made("canary-split.yaml"))
    assert (plugin["apiVersion"], plugin["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert plugin["metadata"] == {"name": "canary-split"}
    spec = plugin["spec"]
    assert spec["version"] == f"v{VERSION}" and spec["homepage"] == FACTS["REPOSITORY"]
    # What krew's index asks for.
    assert len(spec["shortDescription"]) <= 50 and not spec["shortDescription"].endswith(".")
    assert [tuple(each["selector"]["matchLabels"].values()) for each in spec["platforms"]] == list(PLATFORMS)
    for each, name in zip(spec["platforms"], names):
        assert each["uri"] == f"{FACTS['REPOSITORY']}/releases/download/v{VERSION}/{name}"
        assert each["sha256"] == hashlib.sha256(name.encode()).hexdigest()
        assert each["bin"] == "canary-split"


def test_krew_is_told_of_no_archive_that_does_not_exist(copy):
    names = copy.archives()
    (copy.top / ".release" / names[-1]).unlink()
    done = copy.run("krew.py")
    assert done.returncode == 1 and names[-1] in done.stderr and names[0] not in done.stderr
    assert copy.run("krew.py", "--partial").returncode == 0
    assert len(yaml.safe_load(copy.made("canary-split.yaml"))["spec"]["platforms"]) == len(PLATFORMS) - 1


def test_every_file_but_the_notes_has_a_checksum(copy):
    names = copy.archives()
    (copy.top / ".release/notes.md").write_text("text")
    assert copy.run("checksums.py").returncode == copy.run("checksums.py").returncode == 0
    lines = copy.made("SHA256SUMS").decode().splitlines()
    assert lines == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in sorted(names)]


def test_an_archive_has_nothing_of_the_machine_in_it(script):
    packed = script("tool.py")["packed"]
    files = {"canary-split": (b"tool", 0o755), "LICENSE": (b"text", 0o644)}
    data = packed(files)
    assert data == packed(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        members = [(m.name, m.mode, m.mtime, m.uid, m.uname, archive.extractfile(m).read()) for m in archive.getmembers()]
    assert members == [("LICENSE", 0o644, 0, 0, "", b"text"), ("canary-split", 0o755, 0, 0, "", b"tool")]


# ---- the workflows ---------------------------------------------------------------------------------------------------


def workflow(name):
    text = (ROOT / ".github/workflows" / name).read_text()
    # In YAML 1.1 `on` is true.
    return yaml.safe_load(text), text


RELEASE, RELEASE_TEXT = workflow("release.yml")
CI, CI_TEXT = workflow("ci.yml")


def commands(job):
    return [step["run"] for step in job.get("steps", []) if "run" in step]


def test_a_tag_releases_the_tool_for_every_platform():
    assert RELEASE[True] == {"push": {"tags": ["v*"]}}
    targets = [each["target"] for each in RELEASE["jobs"]["tool"]["strategy"]["matrix"]["include"]]
    assert targets == list(PLATFORMS.values())


def test_every_step_of_a_release_is_a_script_and_every_script_is_a_step():
    scripts = {path.name for path in (ROOT / "release").iterdir() if path.suffix in (".py", ".sh")}
    # prepare and dry_run are for people, platforms is make platforms.
    steps = set(re.findall(r"release/(\w+\.(?:py|sh))", "\n".join(line for job in RELEASE["jobs"].values() for line in commands(job))))
    assert scripts - steps == {"prepare.py", "dry_run.py", "platforms.py"}
    dry = (ROOT / "release/dry_run.py").read_text()
    assert all(f"release/{script}" in dry for script in steps - {"facts.py"})
    documented = re.findall(r"`release/(\w+\.(?:py|sh))`", (ROOT / "docs/releases.md").read_text())
    assert steps - {"facts.py"} <= set(documented)


def test_nothing_is_public_before_everything_is_built_and_tested():
    jobs = RELEASE["jobs"]

    def before(name):
        needs = jobs[name].get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return set(needs).union(*map(before, needs))

    writers = [name for name, job in jobs.items() if "write" in job["permissions"].values()]
    assert writers == ["push", "publish"]
    for name in writers:
        assert set(jobs) - set(writers) <= before(name)
    assert jobs["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert ".ci/run" in commands(CI["jobs"]["everything"])


@pytest.mark.parametrize(("whole", "text"), [(RELEASE, RELEASE_TEXT), (CI, CI_TEXT)], ids=["release", "ci"])
def test_a_job_may_do_what_it_needs_and_no_more(whole, text):
    assert whole["permissions"] == {}
    for name, job in whole["jobs"].items():
        assert "permissions" in job, name
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False, name
    # A tag of somebody else's repository may move; dependabot renews commit and comment together.
    for used in re.findall(r"uses: (.+)", text):
        assert re.fullmatch(r"\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", used), used


def test_ci_and_release_take_the_versions_that_the_repository_names():
    assert CI["jobs"]["everything"]["container"]["image"] == f"rust:{FACTS['RUST']}-bookworm"
    crane = re.search(r"go-containerregistry (v\S+)", (ROOT / "tests/istio/go.mod").read_text()).group(1)
    assert f"go-containerregistry/cmd/crane@{crane}\n" in RELEASE_TEXT


def test_dependabot_knows_every_list_of_packages():
    lists = {"Cargo.toml": "cargo", "go.mod": "gomod", "requirements.txt": "pip", "package.json": "npm"}
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    there = {(lists[name], f"/{folder}") for folder, _, name in (file.rpartition("/") for file in files) if name in lists}
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    known = {(each["package-ecosystem"], folder) for each in updates for folder in each.get("directories", [each.get("directory")])}
    assert known == there | {("github-actions", "/")}


def test_a_report_of_a_mistake_comes_with_what_the_tool_says():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    labels = [each["attributes"].get("label", "") for each in form["body"]]
    assert {"canary-split check", "canary-split status"} <= set(labels)
