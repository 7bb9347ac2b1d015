"""``python -m emu`` is the ``emu`` command."""

import sys

from emu.cli.main import main

sys.exit(main())
