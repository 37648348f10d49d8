"""`python -m facet` is the command `facet`."""

import sys

from facet.cli import main

sys.exit(main())
