/* The form's controls and a table, as Dash components over native elements: what browsers and screen readers know. */
(function () {
  var h = React.createElement;
  var WAIT = 350; // ms without a keystroke before a typed value counts

  /* A number or a date with a button on either side and, for numbers, shortcuts. */
  function Entry(props) {
    var box = React.useRef(null);
    var timer = React.useRef(null);
    var shown = React.useState(String(props.value));
    var text = shown[0], setText = shown[1];
    React.useEffect(function () { setText(String(props.value)); }, [props.value]);

    function commit(value) {
      clearTimeout(timer.current);
      setText(value);
      props.setProps({ value: value });
    }
    function typed(event) {
      var value = event.target.value;
      setText(value);
      clearTimeout(timer.current);
      if (props.kind === "date" && !value) return; // a date half typed is no date yet
      timer.current = setTimeout(function () { props.setProps({ value: value }); }, WAIT);
    }
    function settled(event) {
      if (event.type === "keydown" && event.key !== "Enter") return;
      if (text !== String(props.value) && (text || props.kind !== "date")) commit(text);
    }
    function step(by) {
      return function () {
        if (!box.current.value) box.current.value = props.kind === "date" ? props.max : props.min;
        else if (by > 0) box.current.stepUp(); else box.current.stepDown();
        commit(box.current.value);
      };
    }
    var atMin = text === String(props.min), atMax = text === String(props.max);
    return h("div", { className: "field entry-" + props.kind },
      h("label", { htmlFor: props.id }, props.label),
      h("div", { className: "stepper" },
        h("button", { type: "button", "aria-label": props.less, disabled: atMin, onClick: step(-1) },
          props.kind === "date" ? "‹" : "−"),
        h("input", {
          id: props.id, ref: box, type: props.kind, value: text, min: props.min, max: props.max, step: props.step || 1,
          inputMode: props.kind === "number" ? (props.step < 1 ? "decimal" : "numeric") : undefined, autoComplete: "off",
          "aria-invalid": props.error ? "true" : undefined,
          "aria-describedby": props.error ? props.id + "-error" : undefined,
          onChange: typed, onBlur: settled, onKeyDown: settled,
        }),
        h("button", { type: "button", "aria-label": props.more, disabled: atMax, onClick: step(1) },
          props.kind === "date" ? "›" : "+")),
      (props.presets || []).length > 0 && h("div", { className: "presets" }, props.presets.map(function (preset) {
        return h("button", {
          key: preset.value, type: "button", "aria-label": preset.name,
          "aria-pressed": text === String(preset.value), onClick: function () { commit(String(preset.value)); },
        }, preset.label);
      })),
      h("p", { id: props.id + "-error", className: "error", role: "alert" }, props.error));
  }

  /* Radio buttons drawn as one row of segments. */
  function Choice(props) {
    return h("fieldset", {
      id: props.id, className: "field choice", "aria-describedby": props.error ? props.id + "-error" : undefined,
    },
      h("legend", null, props.label),
      h("div", { className: "segments" }, props.options.map(function (option) {
        return h("label", { key: option.value },
          h("input", {
            type: "radio", name: props.id, value: option.value, checked: option.value === props.value,
            onChange: function () { props.setProps({ value: option.value }); },
          }),
          h("span", null, option.label));
      })),
      h("p", { id: props.id + "-error", className: "error", role: "alert" }, props.error));
  }

  /* The same as a list that opens, for alternatives that do not fit in a row. */
  function Select(props) {
    return h("div", { className: "field" },
      h("label", { htmlFor: props.id }, props.label),
      h("select", {
        id: props.id, value: props.value, "aria-invalid": props.error ? "true" : undefined,
        "aria-describedby": props.error ? props.id + "-error" : undefined,
        onChange: function (event) { props.setProps({ value: event.target.value }); },
      }, props.options.map(function (option) {
        return h("option", { key: option.value, value: option.value }, option.label);
      })),
      h("p", { id: props.id + "-error", className: "error", role: "alert" }, props.error));
  }

  /* Rows of plain text; the first cell of each names the row. */
  function Table(props) {
    return h("div", { id: props.id, className: "scroll", tabIndex: 0, role: "region", "aria-label": props.label },
      h("table", null,
        h("thead", null, h("tr", null, props.head.map(function (text) { return h("th", { key: text, scope: "col" }, text); }))),
        h("tbody", null, props.rows.map(function (row) {
          return h("tr", { key: row[0], className: row[0] === props.chosen ? "chosen" : undefined },
            row.map(function (text, at) {
              return at === 0 ? h("th", { key: at, scope: "row" }, text) : h("td", { key: at }, text);
            }));
        }))));
  }

  window.btc_dash = { Entry: Entry, Choice: Choice, Select: Select, Table: Table };
})();
