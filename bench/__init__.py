"""Krypton beside its peers: `./dev bench`, or `python -m bench` after a release build."""
