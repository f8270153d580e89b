/** Something the operator can put right; the message is one sentence and says what. */
export class DeployRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DeployRefusal";
  }
}
