// Shows the claims of one verdict; without it all are shown.
const claims = [...document.querySelectorAll(".claim")];
const bar = document.querySelector(".filters");
bar.hidden = false;
bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const wanted = button.dataset.verdict;
  for (const claim of claims) claim.hidden = wanted !== "" && claim.dataset.verdict !== wanted;
  for (const one of bar.querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(one === button));
  }
  for (const heading of document.querySelectorAll("section.chapter")) {
    heading.hidden = !heading.querySelector(".claim:not([hidden])");
  }
});
