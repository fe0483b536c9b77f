// A file that is too large is refused before it is sent; the server refuses it anyway.
const form = document.getElementById("upload");
const file = form.elements.file;
file.addEventListener("change", () => {
  const large = file.files[0] && file.files[0].size > Number(form.dataset.max);
  file.setCustomValidity(large ? form.dataset.large : "");
  file.reportValidity();
});
