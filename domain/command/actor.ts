/** Who asked for a command. `id` is stable; `name` is for people. */
export interface Actor {
  type: "user" | "token" | "system";
  id: string;
  name: string;
}
