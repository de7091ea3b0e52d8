import { render } from "preact";
import { App } from "./screens/App";
import "./style/page.css";

render(<App />, document.getElementById("page")!);
