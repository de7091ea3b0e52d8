import { render } from "preact";
import "./page.css";
import { Page } from "./screens/Page";

render(<Page />, document.getElementById("page")!);
