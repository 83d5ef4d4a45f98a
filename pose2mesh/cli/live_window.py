"""A window that shows pictures as they come, where there is a display."""

import numpy as np


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
