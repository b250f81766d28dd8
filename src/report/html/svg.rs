//! Draws SVG: escaping, numbers, scales and their ticks.
//!
//! Drawings contain no colours: elements have classes, and the page's style sheet gives each
//! class a colour for light and one for dark.

/// An SVG drawing that grows.
pub(super) struct Svg {
    out: String,
}

impl Svg {
    /// A drawing of `width` by `height` units; `label` is what a screen reader says.
    pub fn new(width: f64, height: f64, class: &str, label: &str) -> Svg {
        Svg::with(width, height, class, label, "")
    }

    /// The same, with further attributes of the outermost element.
    pub fn with(width: f64, height: f64, class: &str, label: &str, attributes: &str) -> Svg {
        let mut svg = Svg { out: String::new() };
        let label = escape(label);
        svg.put(&format!(
            r#"<svg class="{class}" viewBox="0 0 {} {}" role="img" aria-label="{label}"{attributes}>"#,
            n(width),
            n(height)
        ));
        svg
    }

    pub fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub fn rect(&mut self, class: &str, [x, y, w, h]: [f64; 4], title: Option<&str>) {
        let at = format!(r#"x="{}" y="{}" width="{}" height="{}""#, n(x), n(y), n(w), n(h));
        self.element("rect", class, &at, title);
    }

    pub fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4], title: Option<&str>) {
        let at = format!(r#"x1="{}" y1="{}" x2="{}" y2="{}""#, n(x1), n(y1), n(x2), n(y2));
        self.element("line", class, &at, title);
    }

    pub fn path(&mut self, class: &str, d: &str, title: Option<&str>) {
        if !d.is_empty() {
            self.element("path", class, &format!(r#"d="{d}""#), title);
        }
    }

    /// `anchor`: `start`, `middle` or `end`.
    pub fn text(&mut self, class: &str, anchor: &str, [x, y]: [f64; 2], text: &str) {
        let (x, y, text) = (n(x), n(y), escape(text));
        let at = format!(r#"class="{class}" text-anchor="{anchor}" x="{x}" y="{y}""#);
        self.put(&format!("<text {at}>{text}</text>"));
    }

    /// The names of lines, each after a short piece of its line, from the right end at `x`
    /// leftwards.
    pub fn legend(&mut self, [x, y]: [f64; 2], lines: &[(&str, &str)]) {
        const LETTER: f64 = 7.2;
        let mut right = x;
        for (class, name) in lines {
            self.text("title", "end", [right, y], name);
            let end = right - name.chars().count() as f64 * LETTER - 4.0;
            self.line(class, [end - 16.0, y - 4.0, end, y - 4.0], None);
            right = end - 30.0;
        }
    }

    fn element(&mut self, name: &str, class: &str, at: &str, title: Option<&str>) {
        match title {
            None => self.put(&format!(r#"<{name} class="{class}" {at}/>"#)),
            Some(title) => {
                let title = escape(title);
                self.put(&format!(
                    r#"<{name} class="{class}" {at}><title>{title}</title></{name}>"#
                ));
            }
        }
    }

    pub fn done(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }
}

/// A number with at most one decimal.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Text escaped for markup.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A straight line through points, with a gap where a point is missing.
pub(super) fn polyline(points: impl IntoIterator<Item = Option<[f64; 2]>>) -> String {
    let mut d = String::new();
    let mut pen_up = true;
    for point in points {
        match point {
            Some([x, y]) => {
                d += &format!("{}{} {}", if pen_up { "M" } else { "L" }, n(x), n(y));
                pen_up = false;
            }
            None => pen_up = true,
        }
    }
    d
}

/// From values to positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// `from..to` lies at `low..high`.
    pub fn linear(from: f64, to: f64, low: f64, high: f64) -> Scale {
        let to = if to > from { to } else { from + 1.0 };
        Scale { from, to, low, high, log: false }
    }

    /// The same by logarithms; `from` and `to` are above zero.
    pub fn log(from: f64, to: f64, low: f64, high: f64) -> Scale {
        let to = if to > from { to } else { from * 10.0 };
        Scale { from: from.log10(), to: to.log10(), low, high, log: true }
    }

    /// The position of `value`, within the scale's ends.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.max(1e-9).log10() } else { value };
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.low + share * (self.high - self.low)
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that is at least `value`.
pub(super) fn nice_up(value: f64) -> f64 {
    if value.is_nan() || value <= 0.0 {
        return 1.0;
    }
    let decade = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(decade * 10.0)
}

/// The greatest of those that is at most `value`.
pub(super) fn nice_down(value: f64) -> f64 {
    let decade = 10f64.powf(value.max(1e-9).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step <= value * 1.000_001).unwrap_or(decade)
}

/// Round values within `from..=to`, about `count` of them.
pub(super) fn ticks(from: f64, to: f64, count: usize) -> Vec<f64> {
    let step = nice_up((to - from) / count.max(1) as f64);
    let first = (from / step).ceil() as i64;
    (0..100).map(|i| (first + i) as f64 * step).take_while(|t| *t <= to + step * 1e-6).collect()
}

/// 1, 2, 5, 10, … within `from..=to`; only the powers of ten if that were too many.
pub(super) fn log_ticks(from: f64, to: f64) -> Vec<f64> {
    let (first, last) = (from.log10().floor() as i32, to.log10().ceil() as i32);
    let all = |steps: &[f64]| -> Vec<f64> {
        (first..=last)
            .flat_map(|exp| steps.iter().map(move |step| step * 10f64.powi(exp)))
            .filter(|t| *t >= from * 0.999 && *t <= to * 1.001)
            .collect()
    };
    let fine = all(&[1.0, 2.0, 5.0]);
    if fine.len() <= 6 { fine } else { all(&[1.0]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_and_ticks_are_round() {
        assert_eq!(nice_up(1040.0), 2000.0);
        assert_eq!(nice_up(1000.0), 1000.0);
        assert_eq!(nice_up(0.0), 1.0);
        assert_eq!(nice_down(0.17), 0.1);
        assert_eq!(ticks(0.0, 14.0, 7), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]);
        assert_eq!(log_ticks(0.1, 1.0).len(), 4);
        assert_eq!(log_ticks(0.1, 1000.0).len(), 5);
        assert_eq!(Scale::linear(0.0, 10.0, 100.0, 200.0).at(2.5), 125.0);
        assert_eq!(Scale::linear(0.0, 10.0, 100.0, 200.0).at(99.0), 200.0);
        assert_eq!(Scale::log(1.0, 100.0, 0.0, 2.0).at(10.0), 1.0);
    }

    #[test]
    fn nothing_in_a_drawing_can_end_it() {
        let mut svg = Svg::new(1.0, 1.0, "c", "\"><script>");
        svg.text("t", "start", [0.0, 0.0], "</text><script>");
        svg.rect("r", [0.0; 4], Some("</title><script>"));
        let drawn = svg.done();
        assert!(!drawn.contains("<script>"), "{drawn}");
    }
}
