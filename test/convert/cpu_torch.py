"""Lets PyTorch's wheel for Linux run on a machine without CUDA and without its 4 GB of packages.

    python cpu_torch.py FOLDER

FOLDER holds `torch` and the small `nvidia-cuda-runtime`, which is called as torch is loaded. Torch's libraries name CUDA's
others as needed, although computing on a CPU calls none of them. This puts libraries of those names there whose functions
do nothing, so that the loader finds what it looks for. Where torch comes without CUDA there is nothing to do.
"""

import re
import subprocess
import sys
from pathlib import Path


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(folder):
    libraries = sorted((folder / "torch" / "lib").glob("*.so*"))
    if not any(library.name == "libtorch_cuda.so" for library in libraries):
        return
    needed, wanted, defined = set(), {}, set()
    for library in libraries:
        needed |= set(re.findall(r"NEEDED.*\[(lib(?:cu|nv|nccl)[^\]]*)\]", output("readelf", "-d", str(library))))
        for line in output("nm", "-D", str(library)).splitlines():
            *_, kind, symbol = line.split()
            name, _, version = symbol.partition("@")
            if kind == "U":
                wanted[name] = version
            else:
                defined.add(name)
    names = [name for name in wanted if name not in defined and re.match(r"cu|nv|nccl", name)]
    # Next to torch's own libraries, where their run path begins.
    target = folder / "torch" / "lib"
    present = {library.name for library in [*libraries, *folder.glob("nvidia/*/lib/libcudart.so.*")]}
    for library in sorted(needed - present):
        version = "NVSHMEM" if "nvshmem" in library else library
        own = [name for name in names if wanted[name] == version or (not wanted[name] and library == "libcublas.so.13")]
        source, script = target / "stub.c", target / "stub.map"
        source.write_text("".join(f"long {name}(void) {{ return 1; }}\n" for name in own) + "\n")
        script.write_text(f"{version} {{ global: *; }};\n")
        subprocess.run(
            ["cc", "-w", "-shared", f"-Wl,-soname,{library}", f"-Wl,--version-script={script}", "-o", target / library, source],
            check=True,
        )
        source.unlink()
        script.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
