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
const FIELD_INDENT: &str = "            ";
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
    rows(&mut out, lines, width);
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

/// A line for each record, with the state after it.
pub(crate) fn rows(out: &mut String, lines: &[Line], width: usize) {
    write_rows(out, lines, width, HEADS[4], |_, _| {});
}

/// A line for each record, with its entity.
pub(crate) fn of_streams(out: &mut String, lines: &[Line], width: usize) {
    let entity: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            state: Some(line.stream.to_string()),
            ..line.clone()
        })
        .collect();
    write_rows(out, &entity, width, "ENTITY", |_, _| {});
}

/// Records with all that they say: a line for each, its fields below it.
pub(crate) fn with_fields(out: &mut String, lines: &[Line], width: usize) {
    let bare: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            state: Some(String::new()),
            ..line.clone()
        })
        .collect();
    write_rows(out, &bare, width, "", |out, line| {
        for text in fields(line, width) {
            let _ = writeln!(out, "{FIELD_INDENT}{text}");
        }
    });
}

fn write_rows(
    out: &mut String,
    lines: &[Line],
    width: usize,
    last: &str,
    below: impl Fn(&mut String, &Line),
) {
    let by = if width == 0 { usize::MAX } else { BY_MAX };
    let rows: Vec<[String; 5]> = lines.iter().map(|line| row(line, by)).collect();
    let widths: Vec<usize> = (0..4)
        .map(|n| {
            let cells = rows.iter().map(|row| row[n].chars().count());
            cells.chain([HEADS[n].len()]).max().unwrap_or(0)
        })
        .collect();
    let mut heads = HEADS.map(str::to_owned);
    last.clone_into(&mut heads[4]);
    write_row(out, &heads, &widths, width);
    let mut day: Option<String> = None;
    for (row, line) in rows.iter().zip(lines) {
        let date = time::date(line.recorded_time);
        if day.as_ref() != Some(&date) {
            let _ = writeln!(out, "{date}");
            day = Some(date);
        }
        write_row(out, row, &widths, width);
        below(out, line);
    }
}

/// `name value`, several to a line as long as they fit. What is empty or zero
/// is left out; --json has it.
fn fields(line: &Line, width: usize) -> Vec<String> {
    let room = match width {
        0 => usize::MAX,
        width => width.saturating_sub(FIELD_INDENT.len()).max(STATE_MIN),
    };
    let mut texts = vec![format!("stream {} revision {}", line.stream, line.revision)];
    if let serde_json::Value::Object(fields) = &line.event {
        for (name, value) in fields {
            if !is_empty(value) {
                texts.push(format!("{name} {}", plain(value)));
            }
        }
    } else {
        texts.push("(an event that this version does not know)".into());
    }
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        match lines.last_mut() {
            Some(last) if last.chars().count() + GAP.len() + text.chars().count() <= room => {
                last.push_str(GAP);
                last.push_str(&text);
            }
            _ => lines.push(text),
        }
    }
    lines
}

fn is_empty(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        Null => true,
        Bool(yes) => !yes,
        Number(number) => number.as_f64() == Some(0.0),
        String(text) => text.is_empty() || text.ends_with("_UNSPECIFIED"),
        Array(items) => items.is_empty(),
        Object(fields) => fields.values().all(is_empty),
    }
}

/// A value in one line: `{product_id rice-5kg, quantity_units 2}`.
fn plain(value: &serde_json::Value) -> String {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => text.clone(),
        Array(items) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !is_empty(value));
            let fields: Vec<_> = fields.map(|(n, v)| format!("{n} {}", plain(v))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
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
