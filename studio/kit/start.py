"""Generate, or Queue while work runs, and Stop: the two buttons below a panel's controls."""

from PySide6.QtWidgets import QPushButton

from studio.kit.surface import push_button

KEY = "⌃↵"


class StartButtons:
    """`generate` and `stop` are placed by the panel. help, stops: what they do."""

    def __init__(self, help: str, stops: str = "Stops and keeps what was made so far"):
        self.generate: QPushButton = push_button(f"Generate  {KEY}", primary=True, help=f"{help} (Ctrl+Return)")
        self.stop: QPushButton = push_button("Stop", help=f"{stops} (Esc)")

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        """Generate becomes Queue while work runs; Stop is there while something of this panel can be stopped."""
        words = "Queue" if busy else "Generate"
        self.generate.setText(f"{words}  {KEY}")
        self.generate.setAccessibleName(words)
        self.generate.setEnabled(connected)
        self.stop.setEnabled(stoppable and connected)
