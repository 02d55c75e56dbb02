"""``python -m run_code CODE`` runs it, without the working folder on the path of imports."""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])
