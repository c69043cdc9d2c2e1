//! What is made of the measurements: medians, tables, and the files they are written to.

use std::path::Path;

use serde_json::{Value, json};

use crate::Error;

/// One run of one lane through one process.
#[derive(Clone, Debug)]
pub struct Run {
    /// CPU microseconds per request of the process under test.
    pub cpu_us: f64,
    /// The generator's report.
    pub load: Value,
}

/// One lane, all runs.
#[derive(Clone, Debug)]
pub struct LaneResult {
    /// The lane.
    pub name: &'static str,
    /// What its CPU per request may be, as a multiple of the floor's.
    pub limit: Bound,
    /// Runs through the floor.
    pub floor: Vec<Run>,
    /// Runs through the gateway.
    pub gateway: Vec<Run>,
}

/// One figure that is not a lane.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is, unit included.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The bound it must keep.
    pub bound: Bound,
}

/// A bound.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Only shown.
    None,
}

impl Bound {
    /// Is it kept? Nothing where there is none.
    #[must_use]
    pub fn mark(self, value: f64) -> &'static str {
        if matches!(self, Self::None) { "" } else { mark(self.holds(value)) }
    }

    /// As it is written in tables.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::None => String::new(),
        }
    }

    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::None => true,
        }
    }
}

impl LaneResult {
    /// Median CPU of the floor and of the gateway, in microseconds per request.
    #[must_use]
    pub fn cpu_us(&self) -> (f64, f64) {
        let of = |runs: &[Run]| median(runs.iter().map(|run| run.cpu_us));
        (of(&self.floor), of(&self.gateway))
    }

    /// The gateway's CPU as a multiple of the floor's: median of the rounds' ratios, since a round's two runs are
    /// neighbours in time and share the machine's mood.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        median(self.floor.iter().zip(&self.gateway).map(|(floor, gateway)| gateway.cpu_us / floor.cpu_us))
    }

    /// Median of one number of the generator's reports: floor and gateway.
    #[must_use]
    pub fn load(&self, name: &str) -> (f64, f64) {
        let of = |runs: &[Run]| median(runs.iter().map(|run| run.load[name].as_f64().unwrap_or(f64::NAN)));
        (of(&self.floor), of(&self.gateway))
    }

    fn errors(&self) -> u64 {
        let wrong = |run: &Run| run.load["errors"].as_u64().unwrap_or(0) + run.load["refused"].as_u64().unwrap_or(0);
        self.floor.iter().chain(&self.gateway).map(wrong).sum()
    }
}

/// The middle value; NaN of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The whole result as tables in Markdown.
#[must_use]
pub fn tables(lanes: &[LaneResult], figures: &[Figure]) -> String {
    let mut text = String::from(
        "| lane | floor CPU µs | gateway CPU µs | × floor | bound | | floor req/s | gateway req/s | p50 µs | p99 µs | errors |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for lane in lanes {
        let (floor, gateway) = lane.cpu_us();
        let (floor_rps, rps) = lane.load("rps");
        let ratio = lane.ratio();
        let met = if lane.errors() == 0 { lane.limit.mark(ratio) } else { mark(false) };
        let (p50, p99) = (lane.load("p50_us").1, lane.load("p99_us").1);
        text.push_str(&format!("| {} | {floor:.1} | {gateway:.1} | {ratio:.2} | {} | {met} | {floor_rps:.0} | {rps:.0} | {p50:.0} | {p99:.0} | {} |\n",
            lane.name,
            lane.limit.text(),
            lane.errors(),
        ));
    }
    text.push('\n');
    text.push_str(&figures_table(figures));
    text
}

/// Figures that are no lanes, as a table in Markdown.
#[must_use]
pub fn figures_table(figures: &[Figure]) -> String {
    let mut text = String::from("| figure | value | bound | |\n|---|---|---|---|\n");
    for figure in figures {
        let met = figure.bound.mark(figure.value);
        text.push_str(&format!("| {} | {:.2} | {} | {met} |\n", figure.name, figure.value, figure.bound.text()));
    }
    text
}

fn mark(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

/// The whole result as JSON.
#[must_use]
pub fn json(lanes: &[LaneResult], figures: &[Figure]) -> Value {
    let runs = |runs: &[Run]| -> Vec<Value> {
        runs.iter().map(|run| json!({"cpu_us": run.cpu_us, "load": run.load})).collect()
    };
    let lanes: Vec<Value> = lanes
        .iter()
        .map(|lane| {
            let (floor_cpu_us, cpu_us) = lane.cpu_us();
            json!({
                "lane": lane.name, "ratio": lane.ratio(), "bound": lane.limit.text(), "floor_cpu_us": floor_cpu_us,
                "cpu_us": cpu_us, "errors": lane.errors(), "floor": runs(&lane.floor), "gateway": runs(&lane.gateway),
            })
        })
        .collect();
    json!({"lanes": lanes, "figures": figures_json(figures)})
}

/// Figures that are no lanes, as JSON.
#[must_use]
pub fn figures_json(figures: &[Figure]) -> Value {
    let figure = |figure: &Figure| {
        json!({
            "figure": figure.name, "value": figure.value, "bound": figure.bound.text(),
            "met": figure.bound.holds(figure.value),
        })
    };
    figures.iter().map(figure).collect()
}

/// Where the hand-written part of a page begins; it is kept.
const NOTES: &str = "## Notes";

/// Where a benchmark's figures are written, and what stands before them.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The file for programs.
    pub json: &'static str,
    /// The file for people.
    pub markdown: &'static str,
    /// What is measured, and how: the first lines of that.
    pub intro: &'static str,
}

const RESULTS: Page = Page {
    json: "results.json",
    markdown: "RESULTS.md",
    intro: "# Benchmark results\n\nWritten by `make bench`; the notes are written by hand and kept. CPU is user and system time of \
            the process under test per request, medians of interleaved runs; the floor is a bare hyper relay of the same shape \
            (bench-floor).",
};

/// Writes results.json and RESULTS.md into a folder.
///
/// # Errors
/// When they cannot be written.
pub fn write(folder: &Path, lanes: &[LaneResult], figures: &[Figure], machine: &str) -> Result<(), Error> {
    RESULTS.write(folder, machine, &tables(lanes, figures), &json(lanes, figures))
}

impl Page {
    /// Writes both files into a folder; notes that stand in the one for people are kept.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path, machine: &str, tables: &str, json: &Value) -> Result<(), Error> {
        std::fs::write(folder.join(self.json), format!("{json:#}\n"))?;
        let page = folder.join(self.markdown);
        let before = std::fs::read_to_string(&page).unwrap_or_default();
        let notes = before.find(NOTES).map_or_else(
            || {
                format!(
                    "{NOTES}\n\nNothing is noted yet: where a figure is missed, say here where the time goes and what was \
                     tried.\n"
                )
            },
            |at| before[at..].to_owned(),
        );
        std::fs::write(page, format!("{}\n\n{machine}\n\n{tables}\n{notes}", self.intro))?;
        Ok(())
    }
}
