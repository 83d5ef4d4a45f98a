"""`pose2mesh export`: a network for other runtimes, from keypoints to vertices in one file.

The network answers in the axes of a camera aimed at the person. Before: turn the keypoints' rays so that the middle of
their box lies on the optical axis. After: turn vertices and joints back (docs/kernels.md has the lines).

`--format safetensors` writes the weights in half precision instead: the form in which weights ship.
"""

from pathlib import Path

from pose2mesh.cli.arguments import Parser
from pose2mesh.paths import check_writable, not_over


def run(arguments: list[str]) -> int:
    """Export one network; errors are raised (see `pose2mesh.errors`)."""
    options = _parser().parse_args(arguments)
    if Path(options.weights).exists():  # else a shipped name
        not_over(options.output, options.weights)
    check_writable(options.output)
    if options.format == "safetensors":
        return _write_half(options.weights, options.output)

    from pose2mesh.checkpoints import load_network
    from pose2mesh.checkpoints.export import export_network

    network = load_network(options.weights)
    difference = export_network(network, options.output, options.format)
    size = options.output.stat().st_size / 1e6
    print(f"wrote {options.output} ({size:.1f} MB), {options.format} of {options.weights}")
    print("  keypoints [B, J, 3] -> vertices [B, V, 3], joints [B, J', 3] in metres, any B")
    print("  in the axes of a camera aimed at the person: turn keypoints before, the answer after (see --help)")
    if difference is None:
        print(
            "  NOT compared with torch: neither onnxruntime nor openvino is installed (pip install 'pose2mesh[export]')"
        )
    else:
        print(f"  agrees with torch to {1000 * difference:.4f} mm at batch sizes it was not traced with")
    return 0


def _write_half(weights: str, output: Path) -> int:
    import torch

    from pose2mesh.checkpoints import read_weights, save_tensors

    save_tensors(output, *read_weights(weights), torch.float16)
    print(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB), half-precision weights of {weights}")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="pose2mesh export", description=__doc__)
    parser.add_argument(
        "--format", choices=("onnx", "torch-export", "safetensors"), default="onnx", help="default: onnx"
    )
    parser.add_argument(
        "--weights", default="anny-body", metavar="NAME|PATH", help="shipped name or file (default: anny-body)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the file to write")
    return parser
