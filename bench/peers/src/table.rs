//! Rows of cells, in columns as wide as their widest cell.

/// Prints a title, a heading and rows; the first column stands left, the others right.
pub fn print(title: &str, heading: &[&str], rows: &[Vec<String>]) {
    let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    println!("\n{title}\n");
    for line in &lines {
        let cells = line.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<width$}", width = width(0)),
            column => format!("{cell:>width$}", width = width(column)),
        });
        println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
