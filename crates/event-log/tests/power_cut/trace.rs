//! Reads what strace recorded: the writes and syncs of a process, with all
//! bytes, in the order in which they began and ended.

use std::collections::HashMap;

/// One thing that happened, in the order of the trace.
#[derive(Debug, Clone)]
pub enum Event {
    /// The file at this path was opened, and made if it was not there.
    Open {
        path: String,
        truncate: bool,
    },
    Write {
        path: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        path: String,
        length: u64,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// A sync ended that had begun before event number `began`.
    Sync {
        path: String,
        began: usize,
    },
    /// The child said so on its standard output.
    Acknowledged(u64),
}

pub fn parse(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut unfinished: HashMap<String, (String, usize)> = HashMap::new();
    let mut cursors: HashMap<String, u64> = HashMap::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            // What the child says is out as soon as it is written.
            if begun.starts_with("write(1<") {
                acknowledged(begun, &mut events);
            }
            unfinished.insert(pid.to_owned(), (begun.to_owned(), events.len()));
        } else if rest.starts_with("<... ") {
            let Some((begun, began)) = unfinished.remove(pid) else {
                continue;
            };
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            call(&format!("{begun}{end}"), began, &mut cursors, &mut events);
        } else {
            let began = events.len();
            if rest.starts_with("write(1<") {
                acknowledged(rest, &mut events);
            }
            call(rest, began, &mut cursors, &mut events);
        }
    }
    events
}

fn acknowledged(line: &str, events: &mut Vec<Event>) {
    let said = strings(line).into_iter().next().unwrap_or_default();
    for line in String::from_utf8_lossy(&said).lines() {
        if let Some((_, position)) = line.split_once("acknowledged ") {
            events.push(Event::Acknowledged(position.parse().unwrap()));
        }
    }
}

fn call(line: &str, began: usize, cursors: &mut HashMap<String, u64>, events: &mut Vec<Event>) {
    let Some((name, arguments)) = line.split_once('(') else {
        return;
    };
    let Some((arguments, result)) = arguments.rsplit_once(" = ") else {
        return;
    };
    let arguments = arguments.trim_end().trim_end_matches(')');
    let Ok(returned) = leading_number(result).parse::<i64>() else {
        return;
    };
    if returned < 0 {
        return;
    }
    let descriptor = leading_number(arguments).to_owned();
    let path = || between(arguments, '<', '>').unwrap_or_default();
    let last = || {
        arguments
            .rsplit(", ")
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let names = || {
        strings(arguments)
            .into_iter()
            .map(|s| String::from_utf8(s).unwrap())
    };
    match name {
        "openat" => {
            let fd = leading_number(result).to_owned();
            cursors.insert(fd, 0);
            if arguments.contains("O_CREAT") || arguments.contains("O_TRUNC") {
                events.push(Event::Open {
                    path: between(result, '<', '>').unwrap_or_default(),
                    truncate: arguments.contains("O_TRUNC"),
                });
            }
        }
        "lseek" => drop(cursors.insert(descriptor, returned as u64)),
        "pwrite64" | "write" if path().starts_with('/') => {
            let mut bytes = strings(arguments).remove(0);
            bytes.truncate(returned as usize);
            let at = if name == "pwrite64" {
                last()
            } else {
                let cursor = cursors.entry(descriptor).or_default();
                *cursor += returned as u64;
                *cursor - returned as u64
            };
            let path = path();
            events.push(Event::Write { path, at, bytes });
        }
        "ftruncate" => events.push(Event::Truncate {
            path: path(),
            length: last(),
        }),
        "fsync" | "fdatasync" => events.push(Event::Sync {
            path: path(),
            began,
        }),
        "rename" | "renameat" | "renameat2" => {
            let mut names = names();
            let (from, to) = (names.next().unwrap(), names.next().unwrap());
            events.push(Event::Rename { from, to });
        }
        "unlink" | "unlinkat" => events.push(Event::Remove {
            path: names().next().unwrap(),
        }),
        // sync_file_range promises nothing, which is why it is not here.
        _ => {}
    }
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-');
    &text[..end.unwrap_or(text.len())]
}

fn between(text: &str, open: char, close: char) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    Some(unhex(rest.split_once(close)?.0))
}

/// The strings in quotes; strace was told to print every byte as `\xhh`.
fn strings(text: &str) -> Vec<Vec<u8>> {
    let mut parts = text.split('"').skip(1);
    let mut found = Vec::new();
    while let Some(part) = parts.next() {
        found.push(bytes(part));
        parts.next();
    }
    found
}

fn bytes(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    text.as_bytes()
        .chunks_exact(4)
        .map(|c| digit(c[2]) << 4 | digit(c[3]))
        .collect()
}

/// Paths behind descriptors come in the same notation in newer versions.
fn unhex(text: &str) -> String {
    if text.starts_with("\\x") {
        String::from_utf8(bytes(text)).unwrap()
    } else {
        text.to_owned()
    }
}
