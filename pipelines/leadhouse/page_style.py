"""How the status page looks, and the few lines of script that keep its ages true when it is opened later."""

# Text has a contrast of 4.5 or more with what is behind it, in both schemes.
STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --text: #1d1f21; --dim: #5a6066; --line: #d9dcdf;
  --bar: #3b6ea8; --good: #17693a; --good-back: #dff3e5; --warn: #7a4b00; --warn-back: #fdeecb;
  --bad: #a11616; --bad-back: #fbe0de; }
@media (prefers-color-scheme: dark) {
  :root { --back: #15171a; --card: #1e2125; --text: #e8eaec; --dim: #a3abb3; --line: #3a4046; --bar: #74a9e6;
    --good: #8fdcab; --good-back: #12351f; --warn: #f3c969; --warn-back: #3d2c06; --bad: #ff9d94;
    --bad-back: #4a1715; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .2rem 0; }
h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
small, header p, dt, caption, figcaption span { color: var(--dim); font-size: .85rem; font-weight: 400; }
header p { margin: .2rem 0 1rem; }
#old { color: var(--bad); background: var(--bad-back); padding: .6rem .8rem; border-radius: .4rem; font-size: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 1rem 0; }
.state { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; margin: 0 0 1rem; padding: .6rem .9rem;
  border-radius: .4rem; border-left: .4rem solid currentColor; }
.state strong { font-size: 1.6rem; line-height: 1.2; }
.good { color: var(--good); background: var(--good-back); }
.warn { color: var(--warn); background: var(--warn-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.chip { padding: .05rem .45rem; border-radius: 1rem; white-space: nowrap; font-size: .85rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .6rem 1rem; margin: 0 0 1rem; }
dd { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12rem), 1fr)); gap: 1rem; }
figure { margin: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 .6rem; font-size: .9rem; min-height: 2.6rem; align-content: end; }
svg { display: block; width: 100%; height: 3.8rem; }
svg line { stroke: var(--line); vector-effect: non-scaling-stroke; }
.done { fill: var(--bar); }
.failed { fill: var(--bad); }
.errors { margin: 0; padding-left: 1.2rem; }
.errors p { margin: .2rem 0 0; color: var(--bad); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .3rem; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; border-top: 1px solid var(--line); vertical-align: top;
  font-weight: 400; white-space: nowrap; }
thead th { color: var(--dim); border: 0; }
td.text { max-width: 24rem; overflow: hidden; text-overflow: ellipsis; }
summary { cursor: pointer; margin-top: .8rem; }
details table { width: auto; }
a { color: inherit; }
"""

SCRIPT = """
(function () {
  function words(seconds) {
    var units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]], parts = [];
    for (var i = 0; i < units.length && parts.length < 2; i++) {
      var count = Math.floor(seconds / units[i][1]);
      seconds -= count * units[i][1];
      if (count || (i === 3 && !parts.length)) parts.push(count + " " + units[i][0]);
      else if (parts.length) break;
    }
    return parts.join(" ");
  }
  function tell() {
    var now = Date.now() / 1000, made = Number(document.documentElement.dataset.made);
    var old = document.getElementById("old");
    document.querySelectorAll("time .ago").forEach(function (shown) {
      var at = Date.parse(shown.parentNode.dateTime) / 1000;
      shown.textContent = words(Math.max(0, now - at)) + " ago";
    });
    old.hidden = now - made < 3600;
    old.textContent = "This page is " + words(Math.max(0, now - made)) + " old: what writes it has stopped.";
  }
  tell();
  setInterval(tell, 30000);
})();
"""
