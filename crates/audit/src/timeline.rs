//! What was recorded in a span of time, over all logs, in the order of time;
//! what is of the same time, causes first.

use std::fmt::Write as _;

use decider::{Area, Service, Source, Timestamp};
use proto::record::Raw;
use serde::Serialize;

use crate::{
    causal,
    cli::TimelineArgs,
    error::AuditError,
    history::{History, LogName},
    replay::{self, Line},
    table, time,
    units::Standing,
};

/// Which records are wanted. Both ends are included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub from: Timestamp,
    pub to: Timestamp,
    pub area: Option<Area>,
    /// A stream, or a category.
    pub stream: Option<String>,
    /// A log, or a service.
    pub log: Option<String>,
    /// 0 for no limit.
    pub limit: usize,
}

impl Wanted {
    /// # Errors
    /// A time or the area does not read, or the span ends before it begins.
    pub fn parse(args: &TimelineArgs) -> Result<Self, AuditError> {
        let moment =
            |text: &str| time::parse(text).ok_or_else(|| AuditError::Time(text.to_owned()));
        let (from, to) = (moment(&args.from)?, moment(&args.to)?);
        if to < from {
            let (from, to) = (args.from.clone(), args.to.clone());
            return Err(AuditError::Span { from, to });
        }
        let area = match &args.area {
            None => None,
            Some(code) => match Area::new(code.clone()) {
                Ok(area) => Some(area),
                Err(_) => return Err(AuditError::Area(code.clone())),
            },
        };
        Ok(Self {
            from,
            to,
            area,
            stream: args.stream.clone(),
            log: args.log.clone(),
            limit: args.limit,
        })
    }

    fn takes(&self, raw: &Raw) -> bool {
        let area = self.area.as_ref().is_none_or(|area| raw.area == *area);
        let stream = self
            .stream
            .as_deref()
            .is_none_or(|wanted| raw.stream.as_str() == wanted || raw.stream.category() == wanted);
        (self.from..=self.to).contains(&raw.recorded) && area && stream
    }

    fn takes_log(&self, name: LogName) -> bool {
        self.log.as_deref().is_none_or(|wanted| {
            wanted == name.to_string() || Service::parse(wanted) == Some(name.service)
        })
    }
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    pub from: String,
    pub to: String,
    pub records: Vec<Line>,
    /// Records of the span that the limit left out.
    pub left_out: usize,
}

/// Collects a span.
///
/// # Errors
/// There is no log of the name that is wanted.
pub fn timeline(history: &History, wanted: &Wanted) -> Result<Timeline, AuditError> {
    if let Some(log) = &wanted.log
        && !history.logs.keys().any(|name| wanted.takes_log(*name))
    {
        return Err(AuditError::NoSuchLog(log.clone()));
    }
    let mut found: Vec<(Timestamp, Option<usize>, Source, Raw)> = Vec::new();
    for (name, log) in &history.logs {
        if !wanted.takes_log(*name) {
            continue;
        }
        let idle = Standing::of(log).idle;
        for entry in &log.entries {
            if let Ok(raw) = entry.record()
                && wanted.takes(&raw)
                && !idle.contains(&entry.position)
            {
                let at = name.at(entry.position);
                found.push((raw.recorded, None, at, raw));
            }
        }
    }
    let rank = causal::rank(history, found.iter().map(|(_, _, at, _)| *at));
    for (_, place, at, _) in &mut found {
        *place = rank.get(at).copied();
    }
    found.sort_by_key(|(time, rank, at, _)| (*time, *rank, *at));
    let all = found.len();
    if wanted.limit > 0 {
        found.truncate(wanted.limit);
    }
    let left_out = all - found.len();
    let records = found
        .into_iter()
        .map(|(_, _, at, raw)| replay::line(at, &raw, "", 0, false))
        .collect();
    Ok(Timeline {
        from: time::rfc3339(wanted.from),
        to: time::rfc3339(wanted.to),
        records,
        left_out,
    })
}

impl Timeline {
    /// For people: a line for each record.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        self.lines(width, table::of_streams)
    }

    /// For people: what each record says stands below it.
    #[must_use]
    pub fn text_with_fields(&self, width: usize) -> String {
        self.lines(width, table::with_fields)
    }

    fn lines(&self, width: usize, table: fn(&mut String, &[Line], usize)) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} to {}: {} records, times in UTC\n",
            self.from,
            self.to,
            self.records.len() + self.left_out
        );
        if !self.records.is_empty() {
            table(&mut out, &self.records, width);
        }
        if self.left_out > 0 {
            let _ = writeln!(
                out,
                "\nand {} more; --limit 0 prints all, --from, --to, --area, --stream and --log \
                 narrow them down",
                self.left_out
            );
        }
        out
    }
}
