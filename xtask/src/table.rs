//! A table of text for a person to read: columns as wide as their widest cell.

use std::fmt;

/// Where a column's text stands in its space.
#[derive(Clone, Copy)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A heading and rows of cells.
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the columns are not shown.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize, heading: &str| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .fold(heading.chars().count(), usize::max)
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(column, (heading, _))| width(column, heading))
            .collect()
    }

    fn line<'a>(&self, widths: &[usize], cells: impl Iterator<Item = &'a str>) -> String {
        let padded: Vec<String> = cells
            .zip(widths)
            .zip(&self.columns)
            .map(|((cell, &width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let headings = self.columns.iter().map(|(heading, _)| *heading);
        writeln!(to, "{}", self.line(&widths, headings))?;
        let rules: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        writeln!(to, "{}", rules.join("  "))?;
        for row in &self.rows {
            let cells = row.iter().map(String::as_str);
            writeln!(to, "{}", self.line(&widths, cells))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("call", Align::Left), ("ms", Align::Right)]);
        table.row(["é".to_owned(), "1000".to_owned()]);
        table.row(["prime sieve".to_owned(), "2".to_owned()]);
        let text = table.to_string();
        assert_eq!(
            text,
            "call           ms\n───────────  ────\né            1000\nprime sieve     2\n"
        );
    }
}
