"use strict";
// The instance of a model that takes no picture: a row per feature, or JSON.

/** The instance that is written. Throws what is wrong with it as a sentence. */
function readInstance() {
  if (!$("json-input").hidden) {
    try {
      return JSON.parse($("instance").value);
    } catch (error) {
      throw new Error(`The instance is not JSON: ${error.message}.`);
    }
  }
  const model = chosen();
  const made = structuredClone(model.instance);
  model.fields.forEach((field, i) => {
    const input = $("fields").tBodies[0].rows[i].querySelector("input, textarea");
    const value = field.kind === "boolean" ? input.checked
      : field.kind === "text" ? input.value
      : input.value === "" ? null : Number(input.value);
    put(made, field, value);
  });
  return made;
}

function put(instance, {input, place}, value) {
  if (!place.length) instance[input] = value;
  else place.slice(0, -1).reduce((at, i) => at[i], instance[input])[place.at(-1)] = value;
}

const given = (instance, {input, place}) => place.reduce((at, i) => at?.[i], instance?.[input]);

/** Show an instance in rows, where the model has some, or else as JSON. */
function showInstance(instance, json) {
  const {fields, start} = chosen();
  const rows = Boolean(fields) && !json;
  $("rows").hidden = !rows;
  $("json-input").hidden = rows;
  $("form").hidden = !fields;
  $("form").textContent = rows ? "As JSON" : "As a table";
  if (!rows) {
    $("instance").value = JSON.stringify(instance, null, 2);
    return;
  }
  const texts = fields.every((field) => field.kind === "text");
  $("start").textContent = start === "baseline" ? "These values are the baseline."
    : "The model's metadata name no baseline: all values are 0.";
  $("start").hidden = texts || instance !== chosen().instance;
  $("fields").classList.toggle("texts", texts);
  $("fields").tBodies[0].replaceChildren(...fields.map((field, i) => fieldRow(field, i, given(instance, field))));
}

function fieldRow(field, i, value) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  const label = document.createElement("label");
  head.scope = "row";
  label.htmlFor = `field-${i}`;
  label.textContent = field.name;
  head.append(label);
  const input = document.createElement(field.kind === "text" ? "textarea" : "input");
  input.id = label.htmlFor;
  if (field.kind === "text") {
    Object.assign(input, {rows: 5, value: value ?? "", required: false});
  } else if (field.kind === "boolean") {
    Object.assign(input, {type: "checkbox", checked: Boolean(value)});
  } else {
    Object.assign(input, {type: "number", step: field.whole ? "1" : "any", value: value ?? "", required: field.required});
  }
  row.append(head);
  row.insertCell().append(input);
  return row;
}

/** Change between rows and JSON, with what is written. */
function changeForm() {
  const json = $("json-input").hidden;
  let instance;
  try {
    instance = readInstance();
  } catch (error) {
    fail(error);
    return;
  }
  const {fields} = chosen();
  if (!json && fields.some((field) => ["undefined", "object"].includes(typeof given(instance, field)) && given(instance, field) !== null)) {
    fail(new Error("The instance is not of the form of the table."));
    return;
  }
  showInstance(instance, json);
  $(json ? "instance" : "field-0").focus();
}
