/// Columns of text, each as wide as its widest cell.
struct TextTable: Sendable {
    let header: [String]
    var rows: [[String]] = []

    init(_ header: [String], rows: [[String]] = []) {
        self.header = header
        self.rows = rows
    }

    var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += column == row.count - 1 ? cell : cell.padded(to: widths[column]) + "  "
            }
            return line
        }.joined(separator: "\n")
    }
}
