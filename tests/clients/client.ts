// Asks every operation through a generated client; the test reads what is printed.
const [, , base, folder] = process.argv;
const { CarbonAwareApi, Configuration, LocationsApi, ResponseError } = await import(`${folder}/index.ts`);

const configuration = new Configuration({ basePath: base });
const api = new CarbonAwareApi(configuration);
const startTime = new Date("2021-11-17T00:00:00Z");
const endTime = new Date("2021-11-18T00:00:00Z");
const until = new Date("2021-11-19T00:00:00Z");
const midnight = new Date("2022-01-01T00:00:00Z");
const location = ["westus", "eastus"];
const item = { location: "westus", startTime, endTime };

async function refused(): Promise<object> {
  try {
    await api.getEmissionsDataForLocationByTime({ location: "westus", time: endTime, toTime: startTime });
  } catch (error) {
    if (error instanceof ResponseError) {
      return { status: error.response.status, body: await error.response.json() };
    }
    throw error;
  }
  return {};
}

console.log(
  JSON.stringify({
    one: await api.getEmissionsDataForLocationByTime({ location: "westus", time: startTime, toTime: endTime }),
    none: (await api.getEmissionsDataForLocationByTimeRaw({ location: "westus", time: endTime })).raw.status,
    several: await api.getEmissionsDataForLocationsByTime({ location, time: startTime, toTime: until }),
    best: await api.getBestEmissionsDataForLocationsByTime({ location, time: startTime, toTime: until }),
    average: await api.getAverageCarbonIntensity(item),
    averages: await api.getAverageCarbonIntensityBatch({ carbonIntensityBatchParametersDTO: [item, item] }),
    forecasts: await api.getCurrentForecastData({ location, windowSize: 10 }),
    history: await api.batchForecastDataAsync({
      emissionsForecastBatchParametersDTO: [{ requestedAt: midnight, location: "eastus", windowSize: 20 }],
    }),
    places: await new LocationsApi(configuration).getAllLocations(),
    refused: await refused(),
  }),
);
