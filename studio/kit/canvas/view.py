"""Where a content of pixels lies in a widget: zoom, place, and the ways between both. Imports no widgets.

Content is measured in its own pixels, the widget in device-independent ones; zoom 1 shows one content pixel on
one pixel of the screen.
"""

from PySide6.QtCore import QPointF, QRectF, QSizeF

LEAST, MOST = 1 / 128, 64.0
MARGIN = 24
KEPT = 48
"""Device-independent pixels of the content that cannot be pushed out of sight."""


class View:
    """Zoom and place of one content in one widget. `fitted`: it follows the widget's size."""

    def __init__(self) -> None:
        self.zoom = 1.0
        self.place = QPointF(0, 0)
        self.fitted = True
        self.ratio = 1.0
        self._content = QRectF(0, 0, 1, 1)
        self._widget = QSizeF(1, 1)

    @property
    def scale(self) -> float:
        """Device-independent pixels of the widget for one pixel of the content."""
        return self.zoom / self.ratio

    def set_widget(self, size: QSizeF, ratio: float) -> None:
        """The widget has this size and this many device pixels to one of its own."""
        self._widget, self.ratio = size, ratio or 1.0
        self._settle()

    def set_content(self, content: QRectF) -> None:
        self._content = content if not content.isEmpty() else QRectF(0, 0, 1, 1)
        self._settle()

    def fit(self) -> None:
        """Shows all of the content; small ones no larger than whole pixels allow."""
        wide = max(1.0, self._widget.width() - 2 * MARGIN)
        high = max(1.0, self._widget.height() - 2 * MARGIN)
        scale = min(wide / self._content.width(), high / self._content.height())
        zoom = scale * self.ratio
        self.zoom = min(MOST, max(LEAST, float(int(zoom)) if zoom >= 2 else zoom))
        self.fitted = True
        self._centre()

    def zoom_at(self, at: QPointF, zoom: float) -> None:
        """Sets the zoom so that what lies at `at` of the widget stays there."""
        held = self.to_content(at)
        self.zoom = min(MOST, max(LEAST, zoom))
        self.fitted = False
        self.place = at - held * self.scale
        self._clamp()

    def pan(self, by: QPointF) -> None:
        self.place += by
        self.fitted = False
        self._clamp()

    def to_content(self, at: QPointF) -> QPointF:
        return (at - self.place) / self.scale

    def to_widget(self, at: QPointF) -> QPointF:
        return at * self.scale + self.place

    def rect_to_widget(self, rect: QRectF) -> QRectF:
        return QRectF(self.to_widget(rect.topLeft()), rect.size() * self.scale)

    def rect_to_content(self, rect: QRectF) -> QRectF:
        return QRectF(self.to_content(rect.topLeft()), rect.size() / self.scale)

    def shows(self, rect: QRectF) -> bool:
        """Whether all of `rect` of the content is in sight."""
        return QRectF(QPointF(0, 0), self._widget).contains(self.rect_to_widget(rect))

    def middle(self) -> QPointF:
        return QPointF(self._widget.width() / 2, self._widget.height() / 2)

    def _settle(self) -> None:
        if self.fitted:
            self.fit()
        else:
            self._clamp()

    def _centre(self) -> None:
        place = self.middle() - self._content.center() * self.scale
        # On whole device pixels, so that a picture at 100 % is not smeared.
        self.place = QPointF(round(place.x() * self.ratio), round(place.y() * self.ratio)) / self.ratio

    def _clamp(self) -> None:
        lying = self.rect_to_widget(self._content)
        kept_x, kept_y = min(KEPT, lying.width()), min(KEPT, lying.height())
        left = min(self._widget.width() - kept_x, max(kept_x - lying.width(), lying.left()))
        top = min(self._widget.height() - kept_y, max(kept_y - lying.height(), lying.top()))
        place = self.place + QPointF(left, top) - lying.topLeft()
        self.place = QPointF(round(place.x() * self.ratio), round(place.y() * self.ratio)) / self.ratio
