"""Run a command as on a processor without wide vectors or fused multiply-add: what is printed must not change.

Compiled loops, NumPy and OpenBLAS all choose their instructions by the processor. Here each is told to take the
plainest.
"""

from __future__ import annotations

import os
import subprocess
import sys

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

PLAIN = {
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # NumPy warns of a name that the processor does not have, so only those that it has are given.
    "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in __cpu_dispatch__ if __cpu_features__.get(f)),
}
if __cpu_features__.get("SSE2"):
    PLAIN["OPENBLAS_CORETYPE"] = "Nehalem"

if __name__ == "__main__":
    sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **PLAIN}, check=False).returncode)
