"""Where things are."""
import pathlib

COMPAT = pathlib.Path(__file__).resolve().parent.parent
ROOT = COMPAT.parent.parent
BUILD = ROOT / "build/compat"
JARS = BUILD / "jars"
TOOL_CLASSES = f"{BUILD / 'classes'}:{JARS / 'tools'}/*"
BROKER_CLASSES = f"{BUILD / 'classes'}:{JARS / 'broker'}/*"
