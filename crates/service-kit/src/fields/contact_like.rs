//! Whether a free text holds what looks like a telephone number or an e-mail
//! address. Such texts are recorded for ever and in clear, so what belongs to a
//! contact must not get into them by habit.
//!
//! It is a guard against slips, not against intent: it knows the forms that are
//! usual in China and international numbers with a plus sign, and lets codes,
//! ids, dates, quantities and bar codes pass. A name it cannot know.

/// Says what the text seems to hold.
pub(super) fn contact_like(text: &str) -> Option<&'static str> {
    let chars: Vec<char> = text.chars().map(plain).collect();
    if has_email(&chars) {
        return Some("an e-mail address");
    }
    runs(&chars)
        .iter()
        .any(Run::has_telephone)
        .then_some("a telephone number")
}

/// Full-width forms, as Chinese keyboards give them, as plain ones.
const fn plain(c: char) -> char {
    match c {
        '０'..='９' => (b'0' + (c as u32 - '０' as u32) as u8) as char,
        '＠' => '@',
        '＋' => '+',
        '－' | '–' | '—' | '‐' => '-',
        '（' => '(',
        '）' => ')',
        '\u{3000}' | '\u{a0}' => ' ',
        '．' | '。' => '.',
        c => c,
    }
}

fn has_email(chars: &[char]) -> bool {
    let local = |c: &char| c.is_alphanumeric() || "._+-".contains(*c);
    let domain = |c: &char| c.is_ascii_alphanumeric() || ".-".contains(*c);
    chars.iter().enumerate().any(|(at, c)| {
        if *c != '@' || at == 0 || !local(&chars[at - 1]) {
            return false;
        }
        let host: String = chars[at + 1..].iter().take_while(|c| domain(c)).collect();
        let host = host.trim_matches('.');
        host.rsplit_once('.').is_some_and(|(name, top)| {
            !name.is_empty() && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())
        })
    })
}

/// Digits in groups, with one or two signs between them that people write
/// into telephone numbers.
struct Run {
    plus: bool,
    groups: Vec<String>,
}

fn runs(chars: &[char]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        // Digits that go on from letters are of a code: so are all up to the
        // next sign.
        if at > 0 && chars[at - 1].is_ascii_alphabetic() {
            at = skip(chars, at, |c| c.is_ascii_alphanumeric());
            continue;
        }
        let plus = at > 0 && chars[at - 1] == '+';
        let (run, end) = run_from(chars, at, plus);
        runs.push(run);
        at = end;
    }
    runs
}

fn run_from(chars: &[char], start: usize, plus: bool) -> (Run, usize) {
    let mut groups = Vec::new();
    let mut at = start;
    loop {
        let end = skip(chars, at, |c| c.is_ascii_digit());
        if chars.get(end).is_some_and(char::is_ascii_alphabetic) {
            // Of a code.
            return (
                Run { plus, groups },
                skip(chars, end, |c| c.is_ascii_alphanumeric()),
            );
        }
        groups.push(chars[at..end].iter().collect());
        let next = skip(chars, end, |c| " -.()".contains(c));
        if next - end > 2 || next == end || !chars.get(next).is_some_and(char::is_ascii_digit) {
            return (Run { plus, groups }, end);
        }
        at = next;
    }
}

fn skip(chars: &[char], from: usize, which: impl Fn(char) -> bool) -> usize {
    from + chars[from..].iter().take_while(|c| which(**c)).count()
}

impl Run {
    fn has_telephone(&self) -> bool {
        let digits: usize = self.groups.iter().map(String::len).sum();
        if self.plus && (8..=15).contains(&digits) {
            return true;
        }
        (0..self.groups.len()).any(|from| begins_telephone(&self.groups[from..]))
    }
}

/// Whether the first groups are a telephone number.
fn begins_telephone(groups: &[String]) -> bool {
    let groups = match groups {
        [country, rest @ ..] if !rest.is_empty() && ["86", "0086"].contains(&country.as_str()) => {
            rest
        }
        all => all,
    };
    let [first, rest @ ..] = groups else {
        return false;
    };
    let without = first.strip_prefix("00").unwrap_or(first);
    let whole = match without.strip_prefix("86") {
        Some(national) if national.len() == 11 => national,
        _ => first,
    };
    let next = |n: usize| rest.get(n).map_or(0, String::len);
    let mobile = whole.len() <= 11 && whole.starts_with('1') && third_to_ninth(whole);
    let area = first.starts_with('0') && !first.starts_with("00");
    match (whole.len(), next(0), next(1)) {
        // 13912345678, 139-12345678, 139 1234 5678, 1391234-5678.
        (11, ..) if mobile => true,
        (3, 8, _) | (3, 4, 4) | (7, 4, _) if mobile => true,
        // 0977-8201234, (010) 12345678, 010 1234 5678, 09778201234.
        (3 | 4, 7 | 8, _) | (3 | 4, 4, 4) | (11 | 12, ..) if area => true,
        _ => false,
    }
}

/// Mobile numbers go on with 3 to 9.
fn third_to_ninth(number: &str) -> bool {
    number
        .as_bytes()
        .get(1)
        .is_some_and(|b| (b'3'..=b'9').contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_a_person_is_noticed() {
        for text in [
            "13912345678",
            "call 13912345678 first",
            "打电话给王阿姨13912345678，谢谢",
            "139-1234-5678",
            "139 1234 5678",
            "139 12345678",
            "+8613912345678",
            "+86 139 1234 5678",
            "008613912345678",
            "86 13912345678",
            "8613912345678",
            "１３９１２３４５６７８",
            "2022-09-01, 13912345678",
            "5 13912345678",
            "0977-8201234",
            "0977 8201234",
            "(0977) 8201234",
            "（010）12345678",
            "010-1234 5678",
            "09778201234",
            "+44 20 7946 0958",
            "wang@example.org",
            "an wang.a-yi+1@mail.example.com geschickt",
            "王＠example.cn",
        ] {
            assert!(contact_like(text).is_some(), "{text}");
        }
    }

    #[test]
    fn codes_dates_and_quantities_pass() {
        for text in [
            "",
            "static management",
            "2022-09-01T16:00:00Z",
            "2022-09-01 16:00-18:00",
            "20220901 until 20220915",
            "rice-5kg, lot L-2022-0901-17",
            "order 01J8ZK3N13912345678ABCDEFG",
            "order 13912345678ABC",
            "550e8400-e29b-41d4-a716-446655440000",
            "EAN 6901234567892",
            "1662048000000",
            "1662048000",
            "area 632725100",
            "B12/E2/501, 3 bags of 5 kg at 13.50",
            "batch 0012345678",
            "100 200 300 400",
            "12 x 500 ml, 1 380 fen",
            "0.5 % chlorine, 30 min, 500 mg/l",
            "10 @ 5.50 each",
            "@all: wait",
            "+5 boxes",
            "hotline 12345, 95598",
            "1-800",
            "temperature 36.5",
        ] {
            assert_eq!(contact_like(text), None, "{text}");
        }
    }
}
