"""`pose2mesh convert-model`: a licensed body model to plain arrays, which load faster and without any pickle."""

from pathlib import Path

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import InputError
from pose2mesh.paths import not_over


def run(arguments: list[str]) -> int:
    """Convert one file; errors are raised (see `pose2mesh.errors`)."""
    parser = Parser(prog="pose2mesh convert-model", description=__doc__)
    parser.add_argument("model", type=Path, help="SMPL_*.pkl or MANO_*.pkl as downloaded")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz", help="the file to write")
    options = parser.parse_args(arguments)
    if options.output.suffix != ".npz":
        raise InputError(f"-o {options.output}: plain arrays are stored as .npz")

    not_over(options.output, options.model)
    from pose2mesh.body_models.licensed_files import read_any_model
    from pose2mesh.npz import write_arrays

    arrays = read_any_model(options.model)
    write_arrays(options.output, arrays)
    size = options.output.stat().st_size / 1e6
    print(f"wrote {options.output} ({size:.1f} MB, {len(arrays['v_template'])} vertices); its license is the model's")
    return 0
