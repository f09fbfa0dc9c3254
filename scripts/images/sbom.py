"""The bill of materials of an image, as SPDX 2.3 JSON: the program, and each Debian package it took files from.

https://spdx.github.io/spdx-spec/v2.3/
"""

import json

import libraries
import oci


def document(name, version, image_digest, program, shared, linked):
    """SHARED and LINKED are packages: those of files in the image, and those linked into the program."""
    nothing = {"downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseDeclared": "Apache-2.0",
               "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION", "versionInfo": version}
    image = nothing | {
        "SPDXID": "SPDXRef-image", "name": name, "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": image_digest.removeprefix("sha256:")}]}
    binary = nothing | {
        "SPDXID": "SPDXRef-program", "name": program["path"].rpartition("/")[2], "packageFileName": program["path"],
        "primaryPackagePurpose": "APPLICATION",
        "checksums": [{"algorithm": algorithm, "checksumValue": value}
                      for algorithm, value in program["checksums"].items()]}
    packages = sorted({*shared, *linked}, key=lambda each: each.name)
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
                 relation("SPDXRef-image", "CONTAINS", "SPDXRef-program")]
    relations += [relation("SPDXRef-image", "CONTAINS", reference(each)) for each in shared]
    relations += [relation("SPDXRef-program", "STATIC_LINK", reference(each)) for each in linked]
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://krypton.ai/spdx/{name}/{version}/{image_digest.removeprefix('sha256:')}",
        "creationInfo": {"created": oci.created(), "creators": ["Tool: krypton-images", "Organization: Krypton"]},
        "packages": [image, binary] + [entry(each) for each in packages], "relationships": relations}, indent=1, sort_keys=True) + "\n"


def entry(package: libraries.Package):
    locator = f"pkg:deb/debian/{package.name}@{package.version}?arch={package.architecture}"
    return {
        "SPDXID": reference(package), "name": package.name, "versionInfo": package.version,
        "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "sourceInfo": f"built from {package.source} {package.source_version}",
        "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
        **({"homepage": package.homepage} if package.homepage.startswith("http") else {}),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": locator.replace("+", "%2B")}]}


def reference(package):
    # SPDX identifiers know letters, digits, dots and dashes.
    return "SPDXRef-deb-" + package.name.replace("+", "-plus-")


def relation(subject, kind, object):
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": object}
