#!/usr/bin/env python3
"""An image of one layer from files on this machine: what tests need beside Krypton's own images."""

import argparse

import oci


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="what the image is called, with its tag")
    parser.add_argument("--entrypoint", nargs="+", required=True)
    parser.add_argument("--file", action="append", default=[], metavar="PATH=SOURCE")
    parser.add_argument("archive")
    options = parser.parse_args()
    layer = oci.Layer()
    for file in options.file:
        path, _, source = file.partition("=")
        layer.add_file(path, source)
    image = oci.Image([oci.Packed(layer)], options.entrypoint)
    print(oci.write_archive(image, options.name, options.archive)["digest"])


if __name__ == "__main__":
    main()
