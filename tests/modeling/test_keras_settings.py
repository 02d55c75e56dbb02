"""What TensorFlow writes about itself while it is loaded reaches nobody's terminal."""

from __future__ import annotations

import os
import subprocess
import sys


def test_loading_tensorflow_says_nothing_and_hides_nothing_of_ours() -> None:
    code = (
        "import os\n"
        "from btc_assets.modeling.keras_settings import import_tensorflow\n"
        "import builtins\n"
        "real = builtins.__import__\n"
        "def spoken(name, *more, **named):\n"
        "    if name == 'tensorflow' and spoken.first:\n"
        "        spoken.first = False\n"
        "        os.write(2, b'a real complaint\\n')\n"
        "    return real(name, *more, **named)\n"
        "spoken.first = True\n"
        "builtins.__import__ = spoken\n"
        "import_tensorflow()\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "CUDA_"))}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert (ran.stdout, ran.stderr) == ("", "a real complaint\n")
