"""`pose2mesh view RESULT`: the interactive page of a result, in the browser."""

import webbrowser
from pathlib import Path

from pose2mesh.cli.arguments import Parser


def run(arguments: list[str]) -> int:
    """Write the page where there is none yet, print its path, open it; errors are raised."""
    parser = Parser(prog="pose2mesh view", description="Show a result: meshes that turn before the photo.")
    parser.add_argument("result", type=Path, metavar="RESULT", help="an .html, .npz or .glb that predict wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.html", help="the page (default: beside the result)")
    parser.add_argument("--no-open", action="store_true", help="only print the path of the page")
    options = parser.parse_args(arguments)

    from pose2mesh.viewer import result_page

    page = result_page(options.result, options.output).resolve()
    print(page)
    if not options.no_open and not webbrowser.open(page.as_uri()):
        print("no browser here; open the file in one")
    return 0
