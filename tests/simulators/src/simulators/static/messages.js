// Looks for newer messages every two seconds and shows the list anew when there are any.
const list = document.getElementById("messages");

async function look() {
  const answer = await fetch(`${list.dataset.feed}?limit=1`);
  const newest = (await answer.json()).items[0];
  if (String(newest ? newest.number : 0) === list.dataset.newest) return;
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = page.getElementById("messages");
  list.dataset.newest = fresh.dataset.newest;
  list.replaceChildren(...fresh.childNodes);
}

setInterval(() => look().catch(() => {}), 2000);
