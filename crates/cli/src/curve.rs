//! The learning curve as an SVG picture.

use anyhow::anyhow;
use classifier::folder::{CURVE_FILE, OutputFolder};
use plotters::prelude::*;
use trainer::{PathScore, PathScores, RunFolder, ValidationRecord};

const SIZE: (u32, u32) = (900, 420);
const GREEN_700: RGBColor = RGBColor(56, 142, 60);
const ORANGE: RGBColor = RGBColor(245, 124, 0);

/// One line of a plot: its name, its colour, and (epoch, value) points.
struct Line {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws losses and accuracy, or micro F1, over epochs as SVG and saves it in the model folder and in the run folder;
/// nothing if nothing was validated.
pub(crate) fn draw(
    history: &[ValidationRecord],
    folder: &OutputFolder,
    run: &RunFolder,
) -> anyhow::Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    let points = |value: fn(&ValidationRecord) -> f64| {
        history.iter().map(|record| (record.epoch, value(record))).collect()
    };
    let losses = [
        Line { name: "training", color: BLUE, points: points(|record| record.train_loss) },
        Line { name: "validation", color: RED, points: points(ValidationRecord::selection_loss) },
    ];
    let mut accuracy = vec![Line {
        name: "validation",
        color: RED,
        points: points(|record| record.validation.headline().1),
    }];
    // Each path alone, if there are two.
    if history.iter().all(|record| record.alone.is_some()) {
        let of_path = |path: fn(&PathScores) -> &PathScore| {
            let score = |record: &ValidationRecord| Some(path(record.alone.as_ref()?).headline());
            history.iter().filter_map(|record| Some((record.epoch, score(record)?))).collect()
        };
        let linear = of_path(|alone| &alone.linear);
        let recurrent = of_path(|alone| &alone.recurrent);
        accuracy.push(Line { name: "linear path alone", color: GREEN_700, points: linear });
        accuracy.push(Line { name: "recurrent layers alone", color: ORANGE, points: recurrent });
    }

    let headline = history.first().map_or("accuracy", |record| record.validation.headline().0);

    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(drawing_error)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        // Losses fall and accuracies rise, so these corners stay free longest.
        panel(&left, "loss", &losses, SeriesLabelPosition::UpperRight)?;
        panel(&right, headline, &accuracy, SeriesLabelPosition::LowerRight)?;
        root.present().map_err(drawing_error)?;
    }
    folder.write_file(CURVE_FILE, svg.as_bytes())?;
    Ok(run.write_file(CURVE_FILE, svg.as_bytes())?)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    lines: &[Line],
    legend: SeriesLabelPosition,
) -> anyhow::Result<()> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let last_epoch = all().map(|point| point.0).fold(1.0, f64::max);
    let (low, high) = all()
        .fold((f64::MAX, f64::MIN), |(low, high), point| (low.min(point.1), high.max(point.1)));
    let margin = ((high - low) * 0.1).max(0.01);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..last_epoch * 1.05, low - margin..high + margin)
        .map_err(drawing_error)?;
    chart.configure_mesh().x_desc("epoch").light_line_style(WHITE).draw().map_err(drawing_error)?;
    for Line { name, color, points } in lines {
        let color = *color;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))
            .map_err(drawing_error)?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        let dots = points.iter().map(|&point| Circle::new(point, 3, color.filled()));
        chart.draw_series(dots).map_err(drawing_error)?;
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(drawing_error)?;
    Ok(())
}

fn drawing_error(error: impl std::error::Error) -> anyhow::Error {
    anyhow!("cannot draw the learning curve: {error}")
}
