// The door.
import { html, useState } from "../core/html.js";
import { signIn } from "../core/session.js";
import { Field } from "../ui/form.js";
import { Mark } from "../ui/shell.js";

export function SignIn() {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      setWrong(await signIn(token.trim()));
    } catch {
      setWrong("The gateway does not answer. Check that it runs, then try again.");
    }
    setBusy(false);
  };
  return html`<main class="signin">
    <form class="card stack" onSubmit=${submit}>
      <div class="brand" style=${{ padding: 0 }}><${Mark} />gw</div>
      <h1>Sign in</h1>
      <p class="small quiet">With the admin token you see and change everything. With a virtual key you see what is yours: what you
        have spent, your limits and your sessions.</p>
      <${Field} label="Admin token or virtual key" type="password" value=${token} onInput=${setToken} wrong=${wrong} focus
        placeholder="gwa_… or gwk_…" autoComplete="current-password" required />
      <button class="button first" disabled=${busy || !token.trim()}>${busy ? "Signing in…" : "Sign in"}</button>
      <p class="small quiet">The admin token is the value of <code>GW_ADMIN_TOKEN</code>, or of <code>admin.token</code> in the
        gateway's state directory; it is printed at the first start.</p>
    </form>
  </main>`;
}
