//! Names and telephone numbers for those who may know that there are some, and
//! not which.

/// `138****0000`. What is shorter than a mobile's number shows its end alone.
pub fn phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    let shown = |from: usize, to: usize| digits[from..to].iter().collect::<String>();
    match digits.len() {
        n @ 11.. => format!("{}****{}", shown(n - 11, n - 8), shown(n - 4, n)),
        n @ 7..=10 => format!("****{}", shown(n - 2, n)),
        _ => "****".to_owned(),
    }
}

/// `张**`: the first letter, and not how many there are.
pub fn name(name: &str) -> String {
    let first = name.chars().next();
    first.map_or_else(String::new, |first| format!("{first}**"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_a_number_its_ends_are_shown() {
        for (phone, masked) in [
            ("13812340000", "138****0000"),
            ("+86 138-1234-0000", "138****0000"),
            ("0971 6312345", "097****2345"),
            ("6312345", "****45"),
            ("110", "****"),
            ("", "****"),
        ] {
            assert_eq!(super::phone(phone), masked, "{phone}");
        }
    }

    #[test]
    fn of_a_name_the_first_letter_is_shown_and_not_the_length() {
        assert_eq!(super::name("张小明"), "张**");
        assert_eq!(super::name("Li"), "L**");
        assert_eq!(super::name(""), "");
    }
}
