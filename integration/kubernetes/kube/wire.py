"""The mesh's gRPC as a stranger speaks it: messages by their descriptors, over any credentials."""

import os
import subprocess
import tempfile
import threading
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SOURCE = Path(os.environ.get("KRYPTON_SOURCE_DIR", Path(__file__).resolve().parents[3]))


def load():
    """All messages of proto/krypton/v1, by their short names."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        subprocess.run(["protoc", f"-I{SOURCE / 'proto'}", f"-I{os.environ['KRYPTON_GOOGLEAPIS_DIR']}",
                        "--include_imports", f"--descriptor_set_out={out}",
                        *map(str, sorted((SOURCE / "proto/krypton/v1").glob("*.proto")))], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    names = [f"krypton.v1.{message.name}" for file in files.file if file.package == "krypton.v1"
             for message in file.message_type]
    return {name.rpartition(".")[2]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
            for name in names}


def channel(address, server_name=None, ca=None, key=None, cert=None):
    """Plaintext without `ca`. `server_name` is the name that the server's certificate has."""
    if ca is None:
        return grpc.insecure_channel(address)
    options = [("grpc.ssl_target_name_override", server_name)] if server_name else []
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert), options)


class LoadStream:
    """One LoadService.Report stream that sends what it is given, and ends after the first answer."""

    def __init__(self, channel, messages, requests, token=None, timeout=10):
        metadata = [("authorization", f"Bearer {token}")] if token is not None else []
        self.answered = threading.Event()
        self.call = channel.stream_stream("/krypton.v1.LoadService/Report",
                                          request_serializer=lambda request: request.SerializeToString(),
                                          response_deserializer=messages["ReportResponse"].FromString)(
                                              self.send(requests), metadata=metadata, timeout=timeout)

    def send(self, requests):
        yield from requests
        self.answered.wait(10)

    def outcome(self):
        """(answers, status code): the code is OK when the server took everything and ended the stream."""
        answers = []
        try:
            for answer in self.call:
                answers.append(answer)
                self.answered.set()
        except grpc.RpcError:
            pass
        self.answered.set()
        return answers, self.call.code()
