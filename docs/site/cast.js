// Plays the recording in a page: lines of text that scroll, above a panel that is drawn again in its place.
(() => {
  const place = document.getElementById("cast");
  if (!place) return;
  const [head, ...events] = JSON.parse(document.getElementById("cast-events").textContent);
  const screen = place.querySelector("pre");
  const [button, slider] = [place.querySelector("button"), place.querySelector("input")];
  const end = events.at(-1)[0];
  let lines, row, next, now, timer;

  // What the demo writes: text, the ends of lines, colors, and `up N lines, erase what is below`.
  const write = (text) => {
    for (const part of text.split(/(\x1b\[\d+A|\r?\x1b\[J|\r?\n)/)) {
      const up = /^\x1b\[(\d+)A$/.exec(part);
      if (up) row = Math.max(0, row - Number(up[1]));
      else if (part.endsWith("\x1b[J")) lines.length = row;
      else if (part.endsWith("\n")) row += 1;
      else if (part && part !== "\r") lines[row] = (lines[row] ?? "") + part.replace("\r", "");
    }
  };
  const show = () => {
    const shown = Array.from(lines, (line) => line ?? "").slice(-head.height);
    screen.replaceChildren(...shown.flatMap((line) => [...colored(line), "\n"]));
    slider.value = now;
    slider.ariaValueText = `${Math.round(now)} of ${Math.round(end)} seconds`;
  };
  const colored = (line) => {
    let style = "";
    return line.split(/\x1b\[(\d+)m/).map((part, i) => {
      if (i % 2) {
        style = part === "0" ? "" : part === "1" ? "bold" : "green";
        return "";
      }
      if (!style || !part) return part;
      const span = document.createElement("span");
      span.className = style;
      span.textContent = part;
      return span;
    });
  };
  const seek = (time) => {
    if (time < now || lines === undefined) [lines, row, next] = [[], 0, 0];
    while (next < events.length && events[next][0] <= time) write(events[next++][2]);
    now = time;
    show();
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = "Play";
  };
  button.onclick = () => {
    if (timer) return stop();
    if (now >= end) seek(0);
    button.textContent = "Pause";
    timer = setInterval(() => {
      seek(Math.min(end, now + 0.1));
      if (now >= end) stop();
    }, 100);
  };
  slider.max = end;
  slider.oninput = () => {
    stop();
    seek(Number(slider.value));
  };
  now = 0;
  seek(0);
})();
