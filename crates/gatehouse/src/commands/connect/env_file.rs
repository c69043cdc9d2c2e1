//! `NAME=value` files, edited by line.

/// Sets variables: a line that sets one already is replaced where it stands, others are added at the end.
pub(super) fn set(text: &str, variables: &[(&'static str, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in variables {
        let line = format!("{name}={}", quoted(value));
        match lines.iter_mut().find(|line| sets(line, name)) {
            Some(place) => *place = line,
            None => lines.push(line),
        }
    }
    lines.join("\n") + "\n"
}

fn sets(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// A value a shell and a dotenv reader take as it is; quoted only if it must be.
pub(super) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_replaced_where_it_stands_and_others_stay() {
        let before = "# mine\nA=1\nexport KEY = old\nB=2\n";
        let after = set(before, &[("KEY", "new".to_owned()), ("C", "a b".to_owned())]);
        assert_eq!(after, "# mine\nA=1\nKEY=new\nB=2\nC='a b'\n");
    }

    #[test]
    fn a_name_that_only_starts_alike_is_another_name() {
        assert_eq!(set("KEYS=1\n", &[("KEY", "x".to_owned())]), "KEYS=1\nKEY=x\n");
    }
}
