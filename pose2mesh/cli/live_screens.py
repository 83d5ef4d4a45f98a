"""Where `pose2mesh live` shows its pictures: a window where there is a display, else a page on localhost.

The page is Motion JPEG, which every browser knows.
"""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from pose2mesh.errors import InputError

_PAGE = b'<!doctype html><title>pose2mesh live</title><body style="margin:0"><img src="/stream" width="100%">'
_QUALITY = 80  # of the JPEGs


class LivePage:
    """Serves the last picture to any number of viewers until it is closed."""

    def __init__(self, port: int) -> None:
        """Raises InputError where the port is taken, or none."""
        self._changed, self._picture, self.is_open = threading.Condition(), b"", True
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page._answer(self)

            def log_message(self, format: str, *args) -> None:
                """Requests are not worth a line."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:  # taken, or no number of a port
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"port {port}: {reason}; give another by --port") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def show(self, image: np.ndarray) -> None:
        """Show image uint8 [H, W, 3]."""
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=_QUALITY)
        with self._changed:
            self._picture = stream.getvalue()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.is_open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        is_stream = request.path == "/stream"
        kind = "multipart/x-mixed-replace; boundary=frame" if is_stream else "text/html"
        request.send_header("Content-Type", kind)
        request.end_headers()
        try:
            if not is_stream:
                request.wfile.write(_PAGE)
            while is_stream and self.is_open:
                with self._changed:
                    self._changed.wait(1.0)
                    if not (picture := self._picture):
                        continue
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
                request.wfile.write(head + picture + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):  # the viewer left
            return


class LiveWindow:
    """Shows the last picture until it is closed."""

    def __init__(self) -> None:
        """Raises tkinter's TclError without a display, ImportError where Python was built without tkinter."""
        import tkinter

        self._tkinter = tkinter
        self._root = tkinter.Tk()
        self._root.title("pose2mesh live")
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self.is_open = True

    def show(self, image: np.ndarray) -> None:
        """Show image uint8 [H, W, 3]; nothing once the user has closed the window."""
        if not self.is_open:
            return
        content = b"P6 %d %d 255\n" % image.shape[1::-1] + image.tobytes()
        self._picture = self._tkinter.PhotoImage(data=content, format="PPM")  # Tk does not hold it itself
        self._label.configure(image=self._picture)
        self._root.update()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._root.destroy()


def open_window() -> LiveWindow | None:
    """None where there is no display or no tkinter."""
    try:
        from tkinter import TclError
    except ImportError:
        return None
    try:
        return LiveWindow()
    except TclError:
        return None
