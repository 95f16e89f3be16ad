/** Every setting has a default that suits this app. `mainstay config show` lists them all, with where each value comes from. */
export default {};
