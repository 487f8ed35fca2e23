"""Pictures of a measured error and of a wear trend: what they show is what was found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jointwatch.core.levels import LEVEL_RAD
from jointwatch.metrology.sphere_centres import SphereCentres
from jointwatch.metrology.static_error import measure_static_error
from jointwatch.prognosis.forecast import Answer, Reading
from jointwatch.prognosis.wear_trend import WearTrend
from jointwatch.reports.static_error_figure import static_error_figure
from jointwatch.reports.wear_trend_figure import wear_trend_figure

ROD = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])


@pytest.mark.parametrize(("error_deg", "runs"), [(0.001, 1), (0.04, 3), (-0.11, 6), (0.3, 2)])
def test_static_error_shows_runs_mean_and_levels(error_deg: float, runs: int) -> None:
    rng = np.random.default_rng(1)
    before = np.repeat(ROD[None], runs, axis=0) + 0.002 * rng.standard_normal((runs, 3, 3))
    after = Rotation.from_euler("z", 72 + error_deg, degrees=True).apply(ROD) + 0.002 * rng.standard_normal(
        (runs, 3, 3)
    )
    measured = measure_static_error(
        SphereCentres(tuple("123456")[:runs], ("A", "B", "C"), before, after), noise_mm=0.002
    )
    axis = static_error_figure(measured).axes[0]
    bottom, top = axis.get_ylim()
    shown = np.degrees([measured.low_rad, measured.high_rad]) if runs != 2 else np.degrees([measured.error_rad])
    assert (bottom < shown).all()
    assert (shown < top).all()
    assert bottom < 0.0 < top
    assert len(axis.get_xticks()) == runs + 1
    labels = {text.get_text() for text in axis.texts}
    assert f"level {measured.level}" in labels
    assert all(label.startswith("level ") for label in labels)


@pytest.mark.parametrize("growth", [0.0, 8e-6, 2e-5])
def test_wear_trend_shows_the_date_only_where_there_is_one(growth: float) -> None:
    rng = np.random.default_rng(2)
    readings = [Reading(7.0 * w, 1.2e-4 + growth * w + 1e-5 * rng.standard_normal(), 1e-5) for w in range(20)]
    forecast = WearTrend(draws=300).forecast(readings)
    assert forecast.answer is {0.0: Answer.NO_TREND, 8e-6: Answer.DATE, 2e-5: Answer.ABOVE}[growth]
    figure = wear_trend_figure(readings, forecast, title="drive")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("limit reached: median, 80 %, 95 %" in names) == (forecast.answer is Answer.DATE)
    assert f"limit {np.degrees(LEVEL_RAD):.3g} deg" in names
    figure.canvas.draw()


def test_wear_trend_of_few_readings_shows_the_readings() -> None:
    readings = [Reading(0.0, 1e-4, 1e-5), Reading(7.0, 1.1e-4, 1e-5)]
    axis = wear_trend_figure(readings, WearTrend().forecast(readings)).axes[0]
    assert not axis.collections or len(axis.collections) == 1
