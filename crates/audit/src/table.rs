//! A replay for people: one line for each record, indented below its cause.

use std::fmt::Write as _;

use decider::Timestamp;

use crate::{
    replay::{Because, Line, Replay},
    time,
};

/// Deeper chains are indented no further.
const INDENT_MAX: usize = 6;
const GAP: &str = "  ";
/// Whoever acts for somebody with a long id is cut.
const BY_MAX: usize = 26;
/// What the state is given at least, however narrow the terminal.
const STATE_MIN: usize = 20;
const HEADS: [&str; 5] = ["TIME", "RECORD", "EVENT", "BY / BECAUSE OF", "STATE AFTER"];

impl Replay {
    /// For people: one line for each record, cut to `width` characters; 0 cuts
    /// nothing.
    #[must_use]
    pub fn table(&self, width: usize) -> String {
        render(self, width)
    }
}

fn render(replay: &Replay, width: usize) -> String {
    let mut out = String::new();
    let lines = &replay.lines;
    let logs: std::collections::BTreeSet<_> = lines.iter().map(|line| line.log).collect();
    let _ = writeln!(
        out,
        "order {}: {} records in {} logs, times in UTC\n",
        replay.order_id,
        lines.len(),
        logs.len()
    );
    let by = if width == 0 { usize::MAX } else { BY_MAX };
    let rows: Vec<[String; 5]> = lines.iter().map(|line| row(line, by)).collect();
    let widths: Vec<usize> = (0..4)
        .map(|n| {
            let cells = rows.iter().map(|row| row[n].chars().count());
            cells.chain([HEADS[n].len()]).max().unwrap_or(0)
        })
        .collect();
    write_row(&mut out, &HEADS.map(str::to_owned), &widths, width);
    let mut day: Option<String> = None;
    for (row, line) in rows.iter().zip(lines) {
        let date = time::date(line.recorded_time);
        if day.as_ref() != Some(&date) {
            let _ = writeln!(out, "{date}");
            day = Some(date);
        }
        write_row(&mut out, row, &widths, width);
    }
    if lines.iter().any(|line| line.context) {
        out.push_str("\n(·) is context: the order rests on it. ");
    } else {
        out.push('\n');
    }
    out.push_str("A line below └ follows from the record that it names.\n");
    if !replay.outcome.is_empty() {
        out.push_str("\nIn the end:\n");
        let streams = replay.outcome.iter();
        let longest = streams.map(|o| o.stream.as_str().len()).max().unwrap_or(0);
        for outcome in &replay.outcome {
            let stream = outcome.stream.as_str();
            let _ = writeln!(out, "  {stream:<longest$}  {}", outcome.state);
        }
    }
    out
}

fn row(line: &Line, by: usize) -> [String; 5] {
    let short = line.r#type.rsplit('.').next().unwrap_or_default();
    let mut event = " ".repeat(line.depth.min(INDENT_MAX));
    if line.depth > 0 {
        event.push_str("└ ");
    }
    if line.context {
        event.push_str("· ");
    }
    event.push_str(short);
    if let Some(part) = line.part {
        let _ = write!(event, " ({} of {})", part.shown, part.of);
    }
    [
        clock(line.recorded_time),
        format!("{}@{}", line.log, line.position),
        event,
        cut(&because(line), by),
        line.state.clone().unwrap_or_else(|| "–".into()),
    ]
}

fn clock(time: Timestamp) -> String {
    time::clock(time)
}

/// A reaction's actor is always its service: the cause says more.
fn because(line: &Line) -> String {
    match &line.cause {
        Because::Request { .. } => line.actor.to_string(),
        Because::Record { record, .. } => format!("← {record}"),
        Because::Timer { due_time } => format!("timer of {}", clock(*due_time)),
    }
}

fn write_row(out: &mut String, row: &[String; 5], widths: &[usize], width: usize) {
    let mut line = String::new();
    let mut before = 0;
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(line, "{cell:<width$}{GAP}");
        before += width + GAP.len();
    }
    let room = if width == 0 {
        usize::MAX
    } else {
        width.saturating_sub(before).max(STATE_MIN)
    };
    line.push_str(&cut(&row[4], room));
    out.push_str(line.trim_end());
    out.push('\n');
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
