(function () {
  'use strict';
  var data = JSON.parse(document.getElementById('data').textContent);
  var drawings = [].slice.call(document.querySelectorAll('svg.time'));
  var readouts = [].slice.call(document.querySelectorAll('.readout'));
  var ns = 'http://www.w3.org/2000/svg';
  drawings.forEach(function (svg) {
    var box = svg.viewBox.baseVal;
    var line = document.createElementNS(ns, 'line');
    line.setAttribute('class', 'cursor');
    line.setAttribute('y1', 0);
    line.setAttribute('y2', box.height - 20);
    line.style.display = 'none';
    svg.appendChild(line);
    svg.cursor = line;
    svg.addEventListener('pointermove', function (e) {
      var r = svg.getBoundingClientRect();
      var x = (e.clientX - r.left) / r.width * box.width;
      var d = svg.dataset, left = +d.left, right = +d.right, from = +d.from, to = +d.to;
      var share = (x - left) / (right - left);
      if (share < 0 || share > 1) { hide(); return; }
      show(from + share * (to - from));
    });
    svg.addEventListener('pointerleave', hide);
  });
  function show(at) {
    drawings.forEach(function (svg) {
      var d = svg.dataset;
      var x = +d.left + (at - d.from) / (d.to - d.from) * (d.right - d.left);
      svg.cursor.setAttribute('x1', x);
      svg.cursor.setAttribute('x2', x);
      svg.cursor.style.display = '';
    });
    readouts.forEach(function (out) { tell(out, at); });
  }
  function tell(out, at) {
    var s = data.series[+out.dataset.load];
    var i = s ? s.at.findIndex(function (from) { return at >= from && at < from + s.every; }) : -1;
    var parts = [[((at - data.from) / 1000).toFixed(2) + ' s', '']];
    if (i >= 0) {
      var second = 1000 / s.every;
      parts.push([(s.ok[i] * second).toLocaleString('en'), 'answers/s']);
      parts.push([(s.errors[i] * second).toLocaleString('en'), 'errors/s']);
      parts.push([ms(s.p50[i]), 'p50']);
      parts.push([ms(s.p99[i]), 'p99']);
    }
    out.textContent = '';
    parts.forEach(function (part, k) {
      var b = document.createElement('b');
      b.textContent = part[0];
      if (k) { out.append(' \u00b7 '); }
      out.append(b, part[1] ? ' ' + part[1] : '');
    });
  }
  function ms(v) { return v === null ? '\u2013' : (v < 10 ? v.toFixed(2) : v.toFixed(0)) + ' ms'; }
  function hide() {
    drawings.forEach(function (svg) { svg.cursor.style.display = 'none'; });
    readouts.forEach(function (out) { out.textContent = out.dataset.hint; });
  }
  hide();
  [].slice.call(document.querySelectorAll('table[data-copy]')).forEach(function (table) {
    var button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy as TSV';
    button.addEventListener('click', function () {
      var rows = [].map.call(table.rows, function (row) {
        return [].map.call(row.cells, function (cell) {
          return cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
        }).join('\t');
      });
      copy(rows.join('\n') + '\n', button);
    });
    var head = table.closest('section').querySelector('.head');
    if (head) { head.append(button); }
  });
  function copy(text, button) {
    function done(ok) {
      button.textContent = ok ? 'Copied' : 'Could not copy';
      setTimeout(function () { button.textContent = 'Copy as TSV'; }, 1500);
    }
    function byHand() {
      var area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      done(document.execCommand('copy'));
      area.remove();
    }
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(function () { done(true); }, byHand);
    } else { byHand(); }
  }
})();
