import { useEffect, useState } from "preact/hooks";
import { isTyping } from "../keys/actions";

/** Whether a letter key is held down, but not while typing into a field. */
export function useHeldKey(key: string): boolean {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    const onDown = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === key && !event.ctrlKey && !event.metaKey && !isTyping(event.target)) setHeld(true);
    };
    const onUp = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === key) setHeld(false);
    };
    const onBlur = () => setHeld(false);
    window.addEventListener("keydown", onDown);
    window.addEventListener("keyup", onUp);
    window.addEventListener("blur", onBlur);
    return () => {
      window.removeEventListener("keydown", onDown);
      window.removeEventListener("keyup", onUp);
      window.removeEventListener("blur", onBlur);
    };
  }, [key]);
  return held;
}
