//! Reports in the form that continuous integration reads (JUnit's XML).

use std::fmt::Write as _;

use super::suite::CaseReport;

/// The reports of a suite.
#[must_use]
pub fn junit(suite: &str, reports: &[CaseReport]) -> String {
    let failures = reports
        .iter()
        .filter(|report| !report.faults.is_empty())
        .count();
    let wall_ms: u64 = reports.iter().map(|report| report.wall_ms).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a text cannot fail.
    let _written = writeln!(
        text,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" time=\"{}\">",
        escaped(suite),
        reports.len(),
        seconds(wall_ms),
    );
    for report in reports {
        case(report, &mut text);
    }
    text.push_str("</testsuite>\n");
    text
}

fn case(report: &CaseReport, to: &mut String) {
    let (name, time) = (escaped(&report.name), seconds(report.wall_ms));
    let _written = write!(to, "  <testcase name=\"{name}\" time=\"{time}\"");
    if report.faults.is_empty() {
        to.push_str("/>\n");
        return;
    }
    to.push_str(">\n");
    for fault in &report.faults {
        let _written = writeln!(to, "    <failure message=\"{}\"/>", escaped(fault));
    }
    to.push_str("  </testcase>\n");
}

fn seconds(wall_ms: u64) -> String {
    format!("{}.{:03}", wall_ms / 1_000, wall_ms % 1_000)
}

/// Characters that XML 1.0 has no way to write become a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_said_cannot_break_the_report() {
        let report = CaseReport {
            name: "a \"b\" <c>".to_owned(),
            faults: vec!["]]>\u{0}&".to_owned()],
            checks: 1,
            wall_ms: 1_005,
        };
        let fine = CaseReport {
            name: "d".to_owned(),
            faults: Vec::new(),
            checks: 1,
            wall_ms: 0,
        };
        assert_eq!(
            junit("s", &[report, fine]),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"s\" tests=\"2\" failures=\"1\" time=\"1.005\">\n  \
             <testcase name=\"a &quot;b&quot; &lt;c&gt;\" time=\"1.005\">\n    \
             <failure message=\"]]&gt;?&amp;\"/>\n  </testcase>\n  \
             <testcase name=\"d\" time=\"0.000\"/>\n</testsuite>\n"
        );
    }
}
